"""A run is claimed once and recorded under its fence; whoever lost the lease can write nothing any more."""

from datetime import timedelta
from uuid import UUID

from app.core.ids import new_id
from app.core.resources import Resources
from app.jobs import dispatching, running
from app.jobs.rules.retrying import Outcome
from app.jobs.running import ClaimedJob
from app.jobs.states import JobState
from tests.app.jobs.stage import Desk, change, lead, rows_of


async def claimed(resources: Resources, desk: Desk, tenant_id: UUID, worker: str = "one") -> ClaimedJob:
    out = await desk.dispatch(8)
    [job] = (await running.claim(resources, tenant_id, [each.id for each in out.jobs], worker=worker)).values()
    return job


async def test_a_message_that_was_sent_twice_is_claimed_once(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    job = await claimed(resources, desk, caller.tenant_id)

    again = await running.claim(resources, caller.tenant_id, [job.id], worker="two")

    [row] = await rows_of(caller.tenant_id)
    assert again == {}
    assert (row["worker"], row["state"], row["attempt"], row["fence"]) == ("one", "running", 1, 1)
    assert row["lease_until"] > caller.now()


async def test_an_unknown_or_foreign_job_is_not_claimed(resources: Resources) -> None:
    desk = Desk(resources)
    owner, stranger = desk.caller(), desk.caller()
    await desk.put(owner)
    [job] = (await desk.dispatch(8)).jobs

    assert await running.claim(resources, stranger.tenant_id, [job.id, new_id()], worker="thief") == {}
    assert [row["state"] for row in await rows_of(owner.tenant_id)] == ["dispatched"]


async def test_a_result_is_recorded_and_a_second_one_is_not(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    job = await claimed(resources, desk, caller.tenant_id)
    done = running.result_of(job, Outcome(JobState.COMPLETED))

    first = await running.record(resources, caller.tenant_id, [done])
    second = await running.record(resources, caller.tenant_id, [done])

    [row] = await rows_of(caller.tenant_id)
    assert (first, second) == ({job.id}, set())
    assert (row["state"], row["lease_until"], row["finished_at"] is not None) == ("completed", None, True)


async def test_a_worker_that_lost_its_lease_cannot_record_over_the_next_one(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    stale = await claimed(resources, desk, caller.tenant_id, "stale")
    await change(caller.tenant_id, "lease_until = $2", caller.now() - timedelta(seconds=1))
    await dispatching.reschedule_lost(await lead(resources))

    while_waiting = await running.record(
        resources, caller.tenant_id, [running.result_of(stale, Outcome(JobState.COMPLETED))]
    )
    fresh = await claimed(resources, desk, caller.tenant_id, "fresh")
    kept = await running.extend(resources, caller.tenant_id, [(stale.id, stale.fence)])
    while_running = await running.record(
        resources, caller.tenant_id, [running.result_of(stale, Outcome(JobState.DEAD, error="late"))]
    )

    [row] = await rows_of(caller.tenant_id)
    assert (while_waiting, kept, while_running) == (set(), set(), set())
    assert (row["state"], row["worker"], row["error"]) == ("running", "fresh", None)
    assert (fresh.fence, fresh.attempt) == (2, 2)


async def test_a_lease_is_kept_by_its_holder(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    job = await claimed(resources, desk, caller.tenant_id)
    await change(caller.tenant_id, "lease_until = $2", caller.now() + timedelta(seconds=1))

    kept = await running.extend(resources, caller.tenant_id, [(job.id, job.fence)])

    [row] = await rows_of(caller.tenant_id)
    assert kept == {job.id}
    assert row["lease_until"] > caller.now() + timedelta(seconds=20)


async def test_a_job_that_kills_its_workers_is_dead_when_its_attempts_are_used_up(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)

    ends = []
    for _ in range(4):
        job = await claimed(resources, desk, caller.tenant_id)
        ends.append((job.state, job.attempt))
        await change(caller.tenant_id, "lease_until = $2", caller.now() - timedelta(seconds=1))
        await dispatching.reschedule_lost(await lead(resources))

    [row] = await rows_of(caller.tenant_id)
    assert ends == [("running", 1), ("running", 2), ("running", 3), ("dead", 3)]
    assert (row["state"], row["error"]) == ("dead", "The worker was lost on every attempt.")


async def test_given_back_an_attempt_does_not_count(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    job = await claimed(resources, desk, caller.tenant_id)
    outcome = Outcome(JobState.RETRY_SCHEDULED, due_at=caller.now(), error="The worker stopped.")

    await running.record(resources, caller.tenant_id, [running.result_of(job, outcome, counts=False)])

    [row] = await rows_of(caller.tenant_id)
    assert (row["state"], row["attempt"], row["lease_until"], row["finished_at"]) == ("retry_scheduled", 0, None, None)
    assert (await claimed(resources, desk, caller.tenant_id)).attempt == 1


async def test_a_retry_does_not_collide_with_a_newer_job_of_its_dedupe_key(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, dedupe_key="one")
    job = await claimed(resources, desk, caller.tenant_id)
    await desk.put(caller, dedupe_key="one")

    outcome = Outcome(JobState.RETRY_SCHEDULED, due_at=caller.now())
    recorded = await running.record(resources, caller.tenant_id, [running.result_of(job, outcome)])

    assert recorded == {job.id}
    assert [row["state"] for row in await rows_of(caller.tenant_id)] == ["retry_scheduled", "queued"]


async def test_many_results_are_recorded_at_once_each_in_its_own_state(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 3)
    out = await desk.dispatch(8)
    jobs = await running.claim(resources, caller.tenant_id, [job.id for job in out.jobs], worker="one")
    outcomes = [
        Outcome(JobState.COMPLETED),
        Outcome(JobState.DEAD, error="no"),
        Outcome(JobState.RETRY_SCHEDULED, due_at=caller.now() + timedelta(seconds=9), error="later"),
    ]

    await running.record(
        resources,
        caller.tenant_id,
        [running.result_of(job, outcome) for job, outcome in zip(jobs.values(), outcomes, strict=True)],
    )

    found = {row["id"]: (row["state"], row["error"]) for row in await rows_of(caller.tenant_id)}
    assert [found[job.id] for job in jobs.values()] == [
        ("completed", None),
        ("dead", "no"),
        ("retry_scheduled", "later"),
    ]
