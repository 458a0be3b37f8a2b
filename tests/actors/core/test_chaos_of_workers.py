"""Workers that die, and workers that are asked to: nothing is lost, nothing doubled, nothing left hanging."""

import asyncio
import signal

import pytest

from app.core.resources import Resources
from app.core.settings import Settings
from db.core.transaction import tenant_transaction
from tests.actors.core.chaos_jobs import Mark
from tests.actors.core.stage import (
    all_done,
    caller_of,
    enqueue_all,
    job_rows,
    marks,
    relay,
    some_done,
    start_worker,
    states,
    until,
    worker,
)


@pytest.fixture(scope="module")
def chaos_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"worker_threads": 8, "job_lease_seconds": 2.0, "drain_seconds": 1.5})


@pytest.mark.parametrize(("count", "kills"), [(150, 1), pytest.param(2000, 8, marks=pytest.mark.full)])
async def test_workers_killed_in_the_middle_lose_and_double_nothing(
    resources: Resources, chaos_settings: Settings, count: int, kills: int
) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        # Long enough that the kill finds some of them in hand, however fast the machine is.
        await enqueue_all(caller, [Mark(number, 0.1) for number in range(count)])
        for kill in range(kills):
            process = await start_worker(chaos_settings)
            await some_done(caller.tenant_id, (kill + 1) * count // (kills + 2))
            process.kill()
            await process.wait()
        async with worker(chaos_settings):
            await all_done(caller.tenant_id, count)

    assert sorted(await marks(caller.tenant_id)) == list(range(count))
    rows = await job_rows(caller.tenant_id)
    assert max(row["attempt"] for row in rows) >= 2  # the killed ones had jobs in hand, and lost their leases


async def test_a_worker_that_is_told_to_end_finishes_what_is_short_and_gives_back_what_is_long(
    resources: Resources, chaos_settings: Settings
) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        process = await start_worker(chaos_settings)
        await enqueue_all(caller, [Mark(1, 1.0), Mark(2, 50.0)])

        async def both_running() -> bool:
            return await states(caller.tenant_id) == {"running": 2}

        await until(both_running)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 10)

    short, long = await job_rows(caller.tenant_id)
    assert code == 0
    assert await marks(caller.tenant_id) == [1]
    assert (short["state"], short["attempt"]) == ("completed", 1)
    assert (long["attempt"], long["lease_until"], long["error"]) == (0, None, "The worker stopped.")
    assert long["state"] in ("retry_scheduled", "dispatched")  # the relay may have sent it on already
    async with tenant_transaction(caller.tenant_id) as transaction:
        await transaction.execute("DELETE FROM jobs WHERE tenant_id = $1", caller.tenant_id)
