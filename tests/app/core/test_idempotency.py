"""Claims on idempotency keys over time: leases, take-overs, retention."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.caller import Caller, CallerKind
from app.core.clock import FixedClock
from app.core.idempotency import (
    AlreadyDone,
    ClaimLost,
    IdempotencyClaim,
    KeyReused,
    StillRunning,
    StoredAnswer,
    claim_key,
    release,
    settle,
)
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.resources import Resources
from db.core.transaction import current, tenant_transaction

INPUT, OTHER = b"\1" * 32, b"\2" * 32


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def caller(resources: Resources, clock: FixedClock) -> Caller:
    return Caller(
        resources=replace(resources, clock=clock),
        kind=CallerKind.USER,
        request_id="test",
        tenant=new_id(),
        user_id=new_id(),
        role=TenantRole.OWNER,
    )


async def claimed(caller: Caller, key: str = "k", input_hash: bytes = INPUT) -> IdempotencyClaim:
    claim = await claim_key(caller, "do_it", key=key, input_hash=input_hash)
    assert isinstance(claim, IdempotencyClaim)
    return claim


async def commit_something(caller: Caller, claim: IdempotencyClaim) -> None:
    async with caller.with_claim(claim).transaction():
        await current().execute(
            "INSERT INTO audit_log (tenant_id, id, action, actor, object_type, details, address, request_id, created_at) "
            "VALUES ($1, $2, 'it.do', 'test', 'It', '{}', '', 'test', $3)",
            current().tenant_id,
            new_id(),
            caller.now(),
        )


async def count(caller: Caller, table: str) -> int:
    async with tenant_transaction(caller.tenant_id, read_only=True) as transaction:
        return int(await transaction.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_settled_claim_gives_its_answer_for_a_day_and_then_starts_anew(
    caller: Caller, clock: FixedClock
) -> None:
    claim = await claimed(caller)
    await commit_something(caller, claim)
    await settle(caller, claim, {"a": 1})

    clock.move(24 * 3600 - 1)
    assert await claim_key(caller, "do_it", key="k", input_hash=INPUT) == StoredAnswer({"a": 1})

    clock.move(1)
    assert (await claimed(caller)).fence != claim.fence


async def test_an_unused_claim_is_taken_over_after_its_lease_and_its_holder_can_commit_nothing(
    caller: Caller, clock: FixedClock
) -> None:
    slept = await claimed(caller)
    clock.move(59)
    with pytest.raises(StillRunning):
        await claim_key(caller, "do_it", key="k", input_hash=INPUT)
    clock.move(2)
    holder = await claimed(caller)

    with pytest.raises(ClaimLost):
        await commit_something(caller, slept)
    await settle(caller, slept, {"of": "the one that slept"})
    await release(caller, slept)

    assert await count(caller, "audit_log") == 0
    await commit_something(caller, holder)
    await settle(caller, holder, {"of": "the holder"})
    assert await claim_key(caller, "do_it", key="k", input_hash=INPUT) == StoredAnswer({"of": "the holder"})
    assert await count(caller, "audit_log") == 1


async def test_a_committed_claim_without_an_answer_is_never_taken_over_within_the_day(
    caller: Caller, clock: FixedClock
) -> None:
    claim = await claimed(caller)
    await commit_something(caller, claim)
    await release(caller, claim)
    clock.move(3600)

    with pytest.raises(AlreadyDone):
        await claim_key(caller, "do_it", key="k", input_hash=INPUT)


async def test_several_transactions_of_one_call_share_its_claim(caller: Caller) -> None:
    claim = await claimed(caller)

    await commit_something(caller, claim)
    await commit_something(caller, claim)

    assert await count(caller, "audit_log") == 2


async def test_another_input_is_refused_even_while_the_first_runs(caller: Caller) -> None:
    await claimed(caller)

    with pytest.raises(KeyReused):
        await claim_key(caller, "do_it", key="k", input_hash=OTHER)


async def test_a_released_key_is_free(caller: Caller) -> None:
    await release(caller, await claimed(caller))

    await claimed(caller, input_hash=OTHER)


async def test_what_is_older_than_a_day_leaves_with_later_claims(caller: Caller, clock: FixedClock) -> None:
    for number in range(25):
        await claimed(caller, f"old {number}")
    clock.move(24 * 3600 + 1)

    await claimed(caller, "new 1")
    assert await count(caller, "idempotency_answers") == 6
    await claimed(caller, "new 2")
    assert await count(caller, "idempotency_answers") == 2
