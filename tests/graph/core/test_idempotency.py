"""idempotencyKey on a real table: one effect and one answer per key, whatever happens in between."""

import asyncio
from typing import Any

import pytest

from app.core.caller import Caller
from app.core.idempotency import IdempotencyClaim, claim_key
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.resources import Resources
from db.core.transaction import tenant_transaction
from graph.core.build import PublicSchema
from tests.graph.core.client import run
from tests.graph.core.fake_door import FakeDoor

ADD = """
mutation ($input: AddNoteInput!) {
  addNote(input: $input) { note { id text createdAt } length userErrors { code path message } }
}
"""


@pytest.fixture
def caller(resources: Resources) -> Caller:
    return FakeDoor(resources).user("token")


async def add(schema: PublicSchema, caller: Caller, **given: Any) -> dict[str, Any]:
    return await run(schema, caller, ADD, {"input": given})


async def note_count(caller: Caller) -> int:
    async with tenant_transaction(caller.tenant_id, read_only=True) as transaction:
        return int(await transaction.fetchval("SELECT count(*) FROM audit_log WHERE tenant_id = $1", caller.tenant_id))


async def test_the_same_key_and_input_give_the_same_answer_and_one_effect(schema: PublicSchema, caller: Caller) -> None:
    first = await add(schema, caller, text="hello", idempotencyKey="k")
    again = await add(schema, caller, text="hello", idempotencyKey="k")

    assert first["data"]["addNote"]["note"]["text"] == "hello"
    assert again["data"] == first["data"]
    assert await note_count(caller) == 1


async def test_without_a_key_or_with_another_it_is_done_again(schema: PublicSchema, caller: Caller) -> None:
    for key in (None, None, "a", "b"):
        await add(schema, caller, text="hello", idempotencyKey=key)

    assert await note_count(caller) == 4


async def test_another_input_under_the_same_key_is_refused(schema: PublicSchema, caller: Caller) -> None:
    await add(schema, caller, text="hello", idempotencyKey="k")

    refused = (await add(schema, caller, text="other", idempotencyKey="k"))["data"]["addNote"]

    assert refused["note"] is None
    assert [error["code"] for error in refused["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    assert refused["userErrors"][0]["path"] == ["input", "idempotencyKey"]
    assert await note_count(caller) == 1


async def test_a_refused_call_is_kept_too(schema: PublicSchema, caller: Caller) -> None:
    first = await add(schema, caller, text="", idempotencyKey="k")
    again = await add(schema, caller, text="", idempotencyKey="k")

    assert [error["code"] for error in first["data"]["addNote"]["userErrors"]] == ["REQUIRED"]
    assert again["data"] == first["data"]
    assert await note_count(caller) == 0


async def test_an_error_that_changed_nothing_frees_the_key(schema: PublicSchema, caller: Caller) -> None:
    failed = await add(schema, caller, text="hello", crash="before commit", idempotencyKey="k")
    after = await add(schema, caller, text="hello", idempotencyKey="k")

    assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert after["data"]["addNote"]["note"]["text"] == "hello"
    assert await note_count(caller) == 1


async def test_a_crash_between_commit_and_answer_is_said_and_not_done_again(
    schema: PublicSchema, caller: Caller
) -> None:
    failed = await add(schema, caller, text="hello", crash="after commit", idempotencyKey="k")
    after = await add(schema, caller, text="hello", crash="after commit", idempotencyKey="k")

    assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert [error["code"] for error in after["data"]["addNote"]["userErrors"]] == ["ALREADY_DONE"]
    assert await note_count(caller) == 1


async def test_two_at_once_have_one_effect(schema: PublicSchema, caller: Caller) -> None:
    answers = await asyncio.gather(*(add(schema, caller, text="hello", idempotencyKey="k") for _ in range(8)))

    codes = {error["code"] for answer in answers for error in answer["data"]["addNote"]["userErrors"]}
    assert codes <= {"CONCURRENT", "ALREADY_DONE"}
    assert sum(answer["data"]["addNote"]["note"] is not None for answer in answers) >= 1
    assert await note_count(caller) == 1


async def test_a_key_in_flight_is_concurrent(schema: PublicSchema, caller: Caller) -> None:
    from graph.core.replay import input_hash
    from tests.graph.core.notes import AddNoteInput

    given = AddNoteInput(text="hello", idempotency_key="k")
    held = await claim_key(caller, "add_note", key="k", input_hash=input_hash(given))
    assert isinstance(held, IdempotencyClaim)

    answer = await add(schema, caller, text="hello", idempotencyKey="k")

    assert [error["code"] for error in answer["data"]["addNote"]["userErrors"]] == ["CONCURRENT"]
    assert await note_count(caller) == 0


async def test_keys_belong_to_one_actor_of_one_tenant(schema: PublicSchema, resources: Resources) -> None:
    door = FakeDoor(resources)
    tenant = new_id()
    callers = [door.user("a", tenant=tenant), door.user("b", tenant=tenant), door.user("c")]

    answers = [await add(schema, caller, text="hello", idempotencyKey="k") for caller in callers]

    assert len({answer["data"]["addNote"]["note"]["id"] for answer in answers}) == 3


async def test_a_forbidden_call_keeps_no_key(schema: PublicSchema, resources: Resources) -> None:
    member = FakeDoor(resources).user("token", role=TenantRole.MEMBER)

    answer = await add(schema, member, text="hello", idempotencyKey="k")

    assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    async with tenant_transaction(member.tenant_id, read_only=True) as transaction:
        assert await transaction.fetchval("SELECT count(*) FROM idempotency_answers") == 0


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_unfit_key_is_refused(schema: PublicSchema, caller: Caller, key: str) -> None:
    answer = await add(schema, caller, text="hello", idempotencyKey=key)

    assert answer["data"]["addNote"]["userErrors"] == [
        {
            "code": "INVALID",
            "path": ["input", "idempotencyKey"],
            "message": "An idempotency key has 1 to 255 characters.",
        }
    ]
    assert await note_count(caller) == 0
