"""Imports under real worker processes: killed with -9 again and again, and measured in memory at a million rows."""

import asyncio
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from app.core.resources import Resources
from app.core.settings import Settings
from app.outreach.contact_imports import (
    ContactImport,
    ImportOrder,
    cancel_contact_import,
    contact_imports_by_ids,
    import_contacts,
)
from app.outreach.contact_lists import contact_lists_by_ids, create_contact_list
from app.outreach.uploads import create_upload, receive_upload
from tests.actors.core.stage import relay, until
from tests.actors.outreach.import_worker import begin, spare_import_worker, start_import_worker
from tests.app.outreach.contact_stage import Stage, new_stage


@pytest.fixture(scope="module")
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update={"worker_threads": 4, "job_lease_seconds": 2.0, "drain_seconds": 1.0})


async def a_file(rows: int) -> AsyncIterator[bytes]:
    """Every hundredth row has no address, every thousandth repeats the first."""
    yield b"email,first_name,last_name,company,city\n"
    for start in range(0, rows, 5_000):
        lines = []
        for number in range(start, min(rows, start + 5_000)):
            address = f"user{number}@mail{number % 500}.example" if number % 100 else ""
            address = "user1@mail1.example" if number % 1_000 == 500 else address
            lines.append(f"{address},First{number},Last,Company {number},Town\n")
        yield "".join(lines).encode()


async def started(stage: Stage, rows: int) -> ContactImport:
    made = await create_upload(stage.owner, stage.workspace_id)
    upload = await receive_upload(stage.owner, str(made.token), a_file(rows))
    target = await create_contact_list(stage.owner, stage.workspace_id, "Everybody")
    return await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload.id, list_id=target.id))


async def now(stage: Stage, running: ContactImport) -> ContactImport:
    (found,) = await contact_imports_by_ids(stage.owner, [running.id])
    assert found is not None
    return found


async def check_all_counted(stage: Stage, done: ContactImport, rows: int) -> None:
    refused, repeated = rows // 100 - rows // 1_000, rows // 1_000
    assert done.state == "completed"
    assert (done.rows_read, done.rows_rejected, done.rows_duplicate) == (rows, refused, repeated)
    assert done.rows_created == rows - refused - repeated == await stage.count("contacts")
    assert done.list_id is not None
    (listed,) = await contact_lists_by_ids(stage.owner, [done.list_id])
    assert listed is not None
    assert listed.contact_count == done.rows_created == await stage.count("contact_list_members")
    assert await stage.count("contact_import_errors") == refused + repeated


async def test_a_worker_killed_again_and_again_loses_no_row_and_doubles_none(
    resources: Resources, quick: Settings
) -> None:
    rows = 40_000
    stage = await new_stage(resources)
    workers = [await spare_import_worker() for _ in range(3)]
    running = await started(stage, rows)

    async with relay(resources, queues=("imports",)):
        for worker in workers[:-1]:
            await begin(worker, quick)
            before = (await now(stage, running)).rows_read

            async def went_on(seen: int = before) -> bool:
                return (await now(stage, running)).rows_read > seen

            await until(went_on, seconds=60)
            assert (await now(stage, running)).finished_at is None, "the import was over before it could be interrupted"
            worker.kill()
            await worker.wait()

        async def ended() -> bool:
            return (await now(stage, running)).finished_at is not None

        worker = workers[-1]
        await begin(worker, quick)
        await until(ended, seconds=120)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 15) == 0

    await check_all_counted(stage, await now(stage, running), rows)


async def test_a_cancelled_import_stops_the_worker_between_two_batches(resources: Resources, quick: Settings) -> None:
    stage = await new_stage(resources)
    running = await started(stage, 60_000)

    async with relay(resources, queues=("imports",)):
        worker = await start_import_worker(quick)

        async def began() -> bool:
            return (await now(stage, running)).rows_read > 0

        await until(began, seconds=60)
        cancelled = await cancel_contact_import(stage.owner, running.id)

        async def given_up() -> bool:
            left = await stage.rows("SELECT 1 AS x FROM jobs WHERE tenant_id = $1 AND state <> 'completed'")
            return not left

        await until(given_up, seconds=30)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 15) == 0

    after = await now(stage, running)
    assert after == cancelled
    assert await stage.count("contacts") == after.rows_created


@pytest.mark.parametrize("rows", [30_000, pytest.param(1_000_000, marks=pytest.mark.full)])
async def test_however_many_rows_a_worker_stays_under_200_mb(resources: Resources, quick: Settings, rows: int) -> None:
    stage = await new_stage(resources)
    running = await started(stage, rows)
    peak = 0

    async with relay(resources, queues=("imports",)):
        worker = await start_import_worker(quick)

        async def ended() -> bool:
            nonlocal peak
            program = psutil.Process(worker.pid)
            processes = [program, *program.children(recursive=True)]
            peak = max(peak, *(each.memory_info().rss for each in processes))
            return (await now(stage, running)).finished_at is not None

        await until(ended, seconds=900)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 15) == 0

    await check_all_counted(stage, await now(stage, running), rows)
    assert peak < 200 * 1024 * 1024
