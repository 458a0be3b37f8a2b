"""From the outbox through relay, Redis and a real worker process to the effect, and back into the row."""

import asyncio
import signal
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from app.core.resources import Resources
from app.core.settings import Settings
from app.jobs.job import Job
from app.jobs.outbox import enqueue
from tests.actors.core.chaos_jobs import Fail, Mark, TooSlow
from tests.actors.core.stage import caller_of, enqueue_all, job_rows, marks, relay, start_worker, states, until


@pytest.fixture(scope="module")
def chaos_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"worker_threads": 8, "job_lease_seconds": 2.0, "drain_seconds": 1.0})


@pytest_asyncio.fixture(scope="module")
async def worker(chaos_settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start_worker(chaos_settings)
    yield process
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_every_committed_job_is_done_once(resources: Resources, worker: asyncio.subprocess.Process) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        await enqueue_all(caller, [Mark(number) for number in range(300)])

        await until(lambda: _all_in(caller.tenant_id, {"completed": 300}))

    assert sorted(await marks(caller.tenant_id)) == list(range(300))


async def test_a_job_that_was_rolled_back_never_runs(resources: Resources, worker: asyncio.subprocess.Process) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        with pytest.raises(ZeroDivisionError):
            async with caller.transaction():
                await enqueue(caller, Mark(1))
                raise ZeroDivisionError
        await enqueue_all(caller, [Mark(2)])
        await until(lambda: _all_in(caller.tenant_id, {"completed": 1}))

    assert await marks(caller.tenant_id) == [2]


@pytest.mark.parametrize(
    ("job", "attempts", "error"),
    [
        (Fail("retry"), 3, "RuntimeError: the disk is full"),
        (Fail("permanent"), 1, "The card was refused."),
        (Fail("domain"), 1, "The list is empty."),
        (TooSlow(), 2, "The job ran longer than its timeout."),
    ],
)
async def test_a_failing_job_ends_dead_with_its_reason(
    resources: Resources, worker: asyncio.subprocess.Process, job: Job, attempts: int, error: str
) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        await enqueue_all(caller, [job])

        await until(lambda: _all_in(caller.tenant_id, {"dead": 1}))

    [row] = await job_rows(caller.tenant_id)
    assert (row["attempt"], row["error"], row["due_at"], row["lease_until"]) == (attempts, error, None, None)
    assert row["finished_at"] is not None


async def _all_in(tenant_id: UUID, expected: dict[str, int]) -> bool:
    return await states(tenant_id) == expected
