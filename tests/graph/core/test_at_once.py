"""Fields of a query run at the same time, each with a transaction of its own; mutations one after another, as written."""

import asyncio
from typing import Annotated

import pytest
import strawberry

from app.core.caller import Caller
from app.core.resources import Resources
from db.core.transaction import current
from graph.context import Info
from graph.core.build import PublicSchema, build_schema, root
from graph.core.mutation import Payload, mutation
from graph.core.node import NodeQueries
from graph.core.query import query
from tests.graph.core.client import run
from tests.graph.core.fake_door import FakeDoor
from tests.graph.core.notes import list_notes, say_hello, write_note


class Meeting:
    """Where the resolvers of this module meet, and what they did, in order."""

    def __init__(self) -> None:
        self.both = asyncio.Barrier(2)
        self.story: list[str] = []

    async def inside_a_transaction(self, caller: Caller) -> int:
        """Waits, with its transaction open, until the other field has one open as well. The transaction's number."""
        async with caller.transaction():
            number = await current().fetchval("SELECT pg_current_xact_id()::text::int")
            await asyncio.wait_for(self.both.wait(), 5)
            assert await current().fetchval("SELECT pg_current_xact_id()::text::int") == number
        return int(number)


MEETING = Meeting()


@strawberry.type
class MeetingQueries:
    @query(uses=list_notes, description="The number of its transaction, once another field has one too.")
    async def meet(self, info: Info) -> int:
        return await MEETING.inside_a_transaction(info.context.caller)


@strawberry.input(description="What step needs.")
class StepInput:
    name: str = strawberry.field(description="Its name.")
    seconds: float = strawberry.field(description="How long it takes.")


@strawberry.type(description="The answer of step.")
class StepPayload(Payload):
    name: str | None = strawberry.field(default=None, description="Its name.")


@strawberry.type
class MeetingMutations:
    @mutation(uses=say_hello, description="Takes its time; fails when it is called `fail`.", anonymous=True)
    async def step(
        self, info: Info, input: Annotated[StepInput, strawberry.argument(description="The step.")]
    ) -> StepPayload:
        MEETING.story.append(f"{input.name} begins")
        await asyncio.sleep(input.seconds)
        note = await write_note(info.context.caller, "" if input.name == "fail" else input.name)
        MEETING.story.append(f"{input.name} ends")
        return StepPayload(name=note.text)


@pytest.fixture
def caller(resources: Resources) -> Caller:
    return FakeDoor(resources).user("token")


@pytest.fixture
def meeting_schema() -> PublicSchema:
    MEETING.story.clear()
    return build_schema(
        query=root("Query", "Reads.", [NodeQueries, MeetingQueries]),
        mutation=root("Mutation", "Writes.", [MeetingMutations]),
    )


async def test_fields_of_a_query_run_at_once_each_in_a_transaction_of_its_own(
    meeting_schema: PublicSchema, caller: Caller
) -> None:
    answer = await run(meeting_schema, caller, "{ one: meet two: meet }")

    assert "errors" not in answer
    assert answer["data"]["one"] != answer["data"]["two"]


async def test_mutations_run_one_after_another_in_the_order_of_the_document(
    meeting_schema: PublicSchema, caller: Caller
) -> None:
    steps = (("slow", 0.1), ("fail", 0.05), ("quick", 0))
    fields = " ".join(f'{name}: step(input: {{name: "{name}", seconds: {s}}}) {{ name }}' for name, s in steps)

    answer = await run(meeting_schema, caller, f"mutation {{ {fields} }}")

    assert MEETING.story == ["slow begins", "slow ends", "fail begins", "quick begins", "quick ends"]
    assert answer["data"] == {"slow": {"name": "slow"}, "fail": {"name": None}, "quick": {"name": "quick"}}
