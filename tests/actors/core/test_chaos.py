"""What must hold when things die: every job has its effect once, every event one position, nobody waits for a corpse.

Each test runs as a sample in the normal suite; the marked ones are long.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from actors.core.relay import Pace
from app.core.resources import Resources
from app.core.settings import Settings
from db.core.migration import OWNER
from db.core.transaction import tenant_transaction
from tests.actors.core.chaos_jobs import Mark, UrgentMark
from tests.actors.core.stage import (
    all_done,
    caller_of,
    enqueue_all,
    job_rows,
    marks,
    relay,
    some_done,
    states,
    until,
    worker,
)
from tests.app.live.stage import switch
from tests.servers import TestServers

RESTLESS = Pace(lease=0.4, standby=0.02, full_query=0.1, numbering=0.02, sweep=0.3, after_failure=0.02)


@pytest.fixture(scope="module")
def chaos_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"worker_threads": 8, "job_lease_seconds": 2.0, "drain_seconds": 1.5})


@pytest_asyncio.fixture(scope="module")
async def one_worker(chaos_settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """For the tests that kill something else."""
    async with worker(chaos_settings) as process:
        yield process
        assert process.returncode is None


@pytest.mark.parametrize("count", [1500, pytest.param(12_000, marks=pytest.mark.full)])
async def test_two_leaders_at_once_give_every_event_one_position_without_a_gap(
    resources: Resources, servers: TestServers, databases: dict[str, str], count: int
) -> None:
    """Leadership is torn away all the time, as if each leader slept again and again past its lease."""
    callers = [caller_of(resources) for _ in range(3)]
    owner = await asyncpg.connect(servers.url(databases["oltp"], OWNER))

    async def tear() -> None:
        while True:
            await owner.execute("UPDATE relay_lease SET lease_until = lease_until - interval '1 hour'")
            await asyncio.sleep(0.03)

    async def positions(tenant_id: UUID) -> list[int]:
        async with tenant_transaction(tenant_id, read_only=True) as transaction:
            rows = await transaction.fetch(
                "SELECT position FROM live_events WHERE tenant_id = $1 AND position IS NOT NULL ORDER BY id", tenant_id
            )
        return [row["position"] for row in rows]

    async def all_numbered() -> bool:
        return [len(await positions(caller.tenant_id)) for caller in callers] == [count // 3] * 3

    fence = await owner.fetchval("SELECT coalesce(max(fence), 0) FROM relay_lease")
    tearing = asyncio.create_task(tear())
    async with relay(resources, name="one", pace=RESTLESS), relay(resources, name="two", pace=RESTLESS):
        for start in range(0, count // 3, 50):
            for caller in callers:
                await switch(caller, *range(start, min(start + 50, count // 3)))
        await until(all_numbered, seconds=60)
        tearing.cancel()
    fence_after = await owner.fetchval("SELECT fence FROM relay_lease")
    await owner.close()

    for caller in callers:
        assert sorted(await positions(caller.tenant_id)) == list(range(1, count // 3 + 1))
    assert fence_after > fence + 3  # it did change hands


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.full)])
async def test_redis_flushed_in_the_middle_loses_and_doubles_nothing(
    resources: Resources, one_worker: asyncio.subprocess.Process, count: int
) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        await enqueue_all(caller, [Mark(number, 0.01) for number in range(count)])
        for share in (0.2, 0.5, 0.8):
            await some_done(caller.tenant_id, int(count * share))
            await resources.redis.flushdb()

        await all_done(caller.tenant_id, count)

    assert sorted(await marks(caller.tenant_id)) == list(range(count))


async def test_every_connection_to_postgresql_cut_in_the_middle_loses_and_doubles_nothing(
    resources: Resources, one_worker: asyncio.subprocess.Process, servers: TestServers, databases: dict[str, str]
) -> None:
    caller = caller_of(resources)
    admin = await asyncpg.connect(servers.admin_url)
    async with relay(resources):
        await enqueue_all(caller, [Mark(number, 0.02) for number in range(200)])
        for done in (40, 120):
            await some_done(caller.tenant_id, done)
            cut = await admin.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", databases["oltp"]
            )
            assert len(cut) > 2

        await all_done(caller.tenant_id, 200)
    await admin.close()

    assert sorted(await marks(caller.tenant_id)) == list(range(200))


async def test_one_tenants_thousands_do_not_delay_anothers_one(
    resources: Resources, one_worker: asyncio.subprocess.Process
) -> None:
    big, small = caller_of(resources), caller_of(resources)
    async with relay(resources):
        await enqueue_all(big, [Mark(number, 0.02) for number in range(1500)])
        await some_done(big.tenant_id, 50)
        await enqueue_all(small, [Mark(1)])

        await all_done(small.tenant_id, 1)
        done_of_big = len(await marks(big.tenant_id))
        await enqueue_all(small, [UrgentMark(2)])
        await all_done(small.tenant_id, 2)
        async with tenant_transaction(big.tenant_id) as transaction:  # spares the next test the rest
            await transaction.execute("DELETE FROM jobs WHERE tenant_id = $1 AND state <> 'running'", big.tenant_id)

    assert done_of_big < 300


async def test_a_long_job_keeps_its_lease_and_runs_once(
    resources: Resources, chaos_settings: Settings, one_worker: asyncio.subprocess.Process
) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        await enqueue_all(caller, [Mark(1, chaos_settings.job_lease_seconds * 2)])

        await all_done(caller.tenant_id, 1)

    [row] = await job_rows(caller.tenant_id)
    assert (row["attempt"], row["fence"]) == (1, 1)


async def test_a_run_whose_lease_was_taken_is_stopped_and_records_nothing(
    resources: Resources, chaos_settings: Settings, one_worker: asyncio.subprocess.Process
) -> None:
    caller = caller_of(resources)
    async with relay(resources):
        await enqueue_all(caller, [Mark(1, chaos_settings.job_lease_seconds)])

        async def runs() -> bool:
            return await states(caller.tenant_id) == {"running": 1}

        await until(runs)
        async with tenant_transaction(caller.tenant_id) as transaction:  # as if another worker had it by now
            await transaction.execute(
                "UPDATE jobs SET fence = fence + 1, worker = 'other', lease_until = lease_until + interval '1 hour' "
                "WHERE tenant_id = $1",
                caller.tenant_id,
            )
        await asyncio.sleep(chaos_settings.job_lease_seconds + 0.5)  # the handler sleeps for half a second more

    [row] = await job_rows(caller.tenant_id)
    assert (row["state"], row["worker"], row["fence"]) == ("running", "other", 2)
    assert await marks(caller.tenant_id) == []
