"""A tenant's daily clean-up plants itself again, whatever its cleaners do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.caller import Caller
from app.core.resources import Resources
from app.jobs import maintenance
from app.jobs.maintenance import EVERY, Cleaner, Cleaners, expire_finished_jobs, maintain_tenant, plant_maintenance
from tests.app.jobs.stage import Desk, change, rows_of


def with_cleaners(caller: Caller, *cleaners: Cleaner) -> Caller:
    ports = {**caller.resources.ports, Cleaners: Cleaners(cleaners)}
    return replace(caller, resources=replace(caller.resources, ports=ports))


async def test_it_is_planted_once_for_the_next_day(resources: Resources) -> None:
    caller = Desk(resources).caller()
    started = caller.now()
    for _ in range(2):
        async with caller.transaction():
            await plant_maintenance(caller)

    [row] = await rows_of(caller.tenant_id)
    assert (row["kind"], row["queue"], row["state"]) == ("tenant.maintain", "maintenance", "queued")
    assert started + EVERY <= row["due_at"] <= caller.now() + EVERY


async def test_it_plants_the_next_day_and_runs_every_cleaner_even_after_a_failure(resources: Resources) -> None:
    ran: list[str] = []

    async def first(_caller: Caller) -> int:
        ran.append("first")
        raise OSError("the disk is full")

    async def second(_caller: Caller) -> int:
        ran.append("second")
        return 3

    caller = with_cleaners(Desk(resources).caller(), first, second)
    with pytest.raises(ExceptionGroup, match="cleaners failed"):
        await maintain_tenant(caller)

    assert ran == ["first", "second"]
    assert [row["kind"] for row in await rows_of(caller.tenant_id)] == ["tenant.maintain"]


async def test_finished_jobs_leave_after_seven_days_and_open_ones_stay(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_BATCH", 2)
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 5)
    old = caller.now() - timedelta(days=7, seconds=1)
    await change(caller.tenant_id, "state = 'completed', due_at = NULL, finished_at = $2", old)
    await desk.put(caller, 2)

    removed = await expire_finished_jobs(caller)

    assert removed == 5
    assert [row["state"] for row in await rows_of(caller.tenant_id)] == ["queued", "queued"]


async def test_what_finished_lately_stays(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    await change(caller.tenant_id, "state = 'dead', due_at = NULL, finished_at = $2", caller.now() - timedelta(days=6))

    assert await expire_finished_jobs(caller) == 0
    assert len(await rows_of(caller.tenant_id)) == 1
