"""What one subscriber was shown is shown to the others, where the event alone decides it, and nowhere else."""

from contextlib import aclosing
from typing import Any

import orjson
import pytest
from graphql import OperationDefinitionNode, parse

from app.core.caller import Caller
from app.core.permissions import TenantRole
from app.core.resources import Resources
from graph.core.buckets import Buckets
from graph.core.documents import Documents
from graph.core.engine import Engine
from graph.core.request import Request
from graph.core.sharing import RecentAnswers, recent_answers
from tests.app.live.stage import tenant_caller, user_of
from tests.graph.core.notes import Tick, note_schema

PLENTY = 1_000_000_000


def shares(text: str) -> bool:
    document = parse(text)
    definition = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return recent_answers(note_schema()._schema, document, definition) is not None


@pytest.mark.parametrize(
    "text",
    [
        "subscription { ticks { number role } }",
        "subscription { a: ticks(count: 3) { n: number __typename } }",
        "subscription { ticks { ...Shown ... on Tick { role } } } fragment Shown on Tick { number }",
    ],
)
def test_attributes_alone_are_shared(text: str) -> None:
    assert shares(text)


@pytest.mark.parametrize(
    "text",
    [
        "subscription ($more: Boolean!) { ticks { number role @include(if: $more) } }",
        "subscription { ticks { number ...Shown @skip(if: false) } } fragment Shown on Tick { role }",
        "subscription { ticks { number doubled } }",
        "query { notes { edges { node { text } } } }",
    ],
)
def test_whatever_else_decides_is_not(text: str) -> None:
    assert not shares(text)


def test_only_an_equal_value_of_the_same_type_is_found_and_only_among_the_last() -> None:
    recent = RecentAnswers()
    recent.keep(1, {"n": 1})

    assert orjson.dumps(recent.find(1)) == b'{"n":1}'
    assert recent.find(True) is None
    assert recent.find(2) is None
    for number in range(2, 18):
        recent.keep(number, {"n": number})
    assert recent.find(1) is None
    assert orjson.dumps(recent.find(17)) == b'{"n":17}'


async def shown(engine: Engine, caller: Caller, text: str) -> list[Any]:
    ready = engine.prepare(Request(text, {}, None), caller)
    async with aclosing(engine.stream(ready)) as answers:
        return [orjson.loads(orjson.dumps(answer.body))["data"] async for answer in answers]


async def test_the_second_subscriber_is_shown_what_the_first_was_and_another_role_its_own(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = note_schema()
    documents = Documents(schema._schema, sign_in=schema.anonymous_mutations)
    engine = Engine(schema, documents, Buckets(capacity=PLENTY, rate=PLENTY, redis=None))
    job = tenant_caller(resources)
    owner, member = (user_of(resources, job.tenant_id, role) for role in (TenantRole.OWNER, TenantRole.MEMBER))
    text = "subscription { ticks(count: 2) { number role } }"
    kept: list[Tick] = []
    keep = RecentAnswers.keep

    def noted(recent: RecentAnswers, value: Tick, data: dict[str, Any]) -> orjson.Fragment:
        kept.append(value)
        return keep(recent, value, data)

    monkeypatch.setattr(RecentAnswers, "keep", noted)

    first, second = await shown(engine, owner, text), await shown(engine, owner, text)
    others = await shown(engine, member, text)

    assert first == second == [{"ticks": {"number": n, "role": "owner"}} for n in (1, 2)]
    assert others == [{"ticks": {"number": n, "role": "member"}} for n in (1, 2)]
    assert [tick.role for tick in kept] == ["owner", "owner", "member", "member"]
