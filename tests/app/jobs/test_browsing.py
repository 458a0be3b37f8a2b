"""Jobs as people see them: listed, counted by queue, and started again when they are dead."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.caller import Caller, CallerKind
from app.core.errors import Forbidden, NotFound
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.resources import Resources
from app.jobs import browsing
from app.jobs.browsing import JobQueue
from app.jobs.errors import JobNotDead
from app.jobs.states import JobState
from db.core.transaction import tenant_transaction
from tests.app.jobs.stage import Desk, change, rows_of


def admin_of(caller: Caller) -> Caller:
    return replace(caller, kind=CallerKind.USER, user_id=new_id(), role=TenantRole.ADMIN)


async def test_jobs_are_listed_newest_first_by_pages_state_and_queue(resources: Resources) -> None:
    desk, other_desk = Desk(resources), Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 5)
    await other_desk.put(caller, 1)
    ids = [row["id"] for row in await rows_of(caller.tenant_id)]
    admin = admin_of(caller)

    first = await browsing.jobs(admin, state=None, queue=desk.queue, first=3, after=None)
    second = await browsing.jobs(admin, state=None, queue=desk.queue, first=3, after=first.items[-1].id)
    dead = await browsing.jobs(admin, state=JobState.DEAD, queue=None, first=3, after=None)
    everything = await browsing.jobs(admin, state=JobState.QUEUED, queue=None, first=100, after=None)

    assert [row.id for row in first.items + second.items] == list(reversed(ids[:5]))
    assert (first.has_next, second.has_next, dead.items) == (True, False, [])
    assert len(everything.items) == 6


async def test_queues_are_counted_with_the_age_of_the_oldest_due_job(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    now = caller.now()
    await desk.put(caller, due_at=now - timedelta(seconds=90))
    await desk.put(caller, 2, due_at=now - timedelta(seconds=5))
    await desk.put(caller, due_at=now + timedelta(hours=1))

    [queue] = await browsing.job_queues(admin_of(caller))

    assert replace(queue, oldest_age_seconds=0.0) == JobQueue(desk.queue, 3, 1, 0, 0, 0.0)
    assert 90 <= queue.oldest_age_seconds < 100


async def test_a_dead_job_is_started_again_with_all_its_attempts(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    await change(
        caller.tenant_id, "state = 'dead', due_at = NULL, attempt = 3, error = 'why', finished_at = $2", caller.now()
    )
    [dead] = await rows_of(caller.tenant_id)

    job = await browsing.retry_dead_job(admin_of(caller), dead["id"])

    [row] = await rows_of(caller.tenant_id)
    assert (job.state, job.attempt, job.error) == ("queued", 0, "why")
    assert (row["state"], row["attempt"], row["finished_at"]) == ("queued", 0, None)
    assert len((await desk.dispatch(8)).jobs) == 1
    async with tenant_transaction(caller.tenant_id, read_only=True) as transaction:
        actions = await transaction.fetch(
            "SELECT action, object_id FROM audit_log WHERE tenant_id = $1", caller.tenant_id
        )
    assert [(each["action"], each["object_id"]) for each in actions] == [("job.retry", dead["id"])]


async def test_a_job_that_is_not_dead_stays_as_it_is(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    before = await rows_of(caller.tenant_id)

    with pytest.raises(JobNotDead, match="this one is queued"):
        await browsing.retry_dead_job(admin_of(caller), before[0]["id"])

    assert await rows_of(caller.tenant_id) == before


async def test_another_tenants_job_is_no_job(resources: Resources) -> None:
    desk = Desk(resources)
    owner, stranger = desk.caller(), desk.caller()
    await desk.put(owner)
    [row] = await rows_of(owner.tenant_id)
    admin = admin_of(stranger)

    with pytest.raises(NotFound, match="no such job"):
        await browsing.retry_dead_job(admin, row["id"])
    assert await browsing.jobs_by_ids(admin, [row["id"], new_id()]) == [None, None]
    assert (await browsing.jobs(admin, state=None, queue=None, first=10, after=None)).items == []
    assert await browsing.job_queues(admin) == []
    assert await rows_of(owner.tenant_id) == [row]


async def test_a_member_sees_no_jobs(resources: Resources) -> None:
    member = replace(admin_of(Desk(resources).caller()), role=TenantRole.MEMBER)

    for call in (
        browsing.jobs(member, state=None, queue=None, first=1, after=None),
        browsing.job_queues(member),
        browsing.jobs_by_ids(member, []),
        browsing.retry_dead_job(member, new_id()),
    ):
        with pytest.raises(Forbidden):
            await call
