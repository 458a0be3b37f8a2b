"""Enqueueing: with the transaction or not at all, once under a dedupe key, and small."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from app.core.ids import new_id
from app.core.resources import Resources
from app.jobs.job import Job, PayloadTooLarge, Priority, from_payload, job, to_payload
from app.jobs.outbox import enqueue
from db.core.transaction import NoTransaction
from tests.app.jobs.stage import Desk, rows_of


@job("test.everything", queue="test")
@dataclass(frozen=True, slots=True)
class Everything(Job):
    id: UUID
    at: datetime
    on: date
    name: str
    count: int
    other: UUID | None = None


async def test_a_job_is_there_with_the_commit_and_not_before(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()

    with pytest.raises(ZeroDivisionError):
        async with caller.transaction():
            await enqueue(caller, Everything(new_id(), caller.now(), date(2026, 1, 2), "x", 1))
            raise ZeroDivisionError
    nothing = await rows_of(caller.tenant_id)
    await desk.put(caller)

    [row] = await rows_of(caller.tenant_id)
    assert nothing == []
    assert (row["state"], row["attempt"], row["max_attempts"], row["fence"]) == ("queued", 0, 3, 0)
    assert row["due_at"] == row["created_at"]
    assert (row["request_id"], row["queue"], row["priority"]) == ("test", desk.queue, 2)


async def test_outside_a_transaction_nothing_is_enqueued(resources: Resources) -> None:
    desk = Desk(resources)
    with pytest.raises(NoTransaction):
        await enqueue(desk.caller(), desk.kinds[Priority.NORMAL]())


async def test_a_waiting_job_stands_for_all_of_its_dedupe_key_at_the_earliest_moment(resources: Resources) -> None:
    desk = Desk(resources)
    caller, other = desk.caller(), desk.caller()
    later, sooner = caller.now() + timedelta(hours=2), caller.now() + timedelta(hours=1)

    for due_at in (later, sooner, later):
        await desk.put(caller, dedupe_key="one", due_at=due_at)
    await desk.put(caller, dedupe_key="two", due_at=later)
    await desk.put(other, dedupe_key="one", due_at=later)

    assert [(row["dedupe_key"], row["due_at"]) for row in await rows_of(caller.tenant_id)] == [
        ("one", sooner),
        ("two", later),
    ]
    assert [row["due_at"] for row in await rows_of(other.tenant_id)] == [later]


async def test_once_it_is_on_its_way_another_may_wait_under_the_key(resources: Resources) -> None:
    """Or a change that came while the job was reading would be seen by nobody."""
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, dedupe_key="one")
    await desk.dispatch(4)

    await desk.put(caller, dedupe_key="one")

    assert [row["state"] for row in await rows_of(caller.tenant_id)] == ["dispatched", "queued"]


def test_a_payload_gives_back_the_job_that_it_was_made_of() -> None:
    thing = Everything(new_id(), datetime(2026, 1, 2, 3, 4, tzinfo=UTC), date(2026, 1, 2), "2026-01-02", 7)

    assert from_payload(Everything, _through_json(to_payload(thing))) == thing


def test_a_field_that_a_later_version_dropped_is_passed_over() -> None:
    thing = Everything(new_id(), datetime(2026, 1, 2, tzinfo=UTC), date(2026, 1, 2), "x", 7)

    assert from_payload(Everything, _through_json(to_payload(thing)) | {"gone": 1}) == thing


def test_a_job_carries_ids_and_not_data() -> None:
    with pytest.raises(PayloadTooLarge, match="more than 1024 bytes"):
        to_payload(Everything(new_id(), datetime.now(UTC), date(2026, 1, 2), "x" * 2000, 1))


def _through_json(payload: dict[str, object]) -> dict[str, object]:
    import orjson

    decoded: dict[str, object] = orjson.loads(orjson.dumps(payload))
    return decoded
