"""Which job goes next: due ones, by priority, in turns between tenants, and never more than the window holds."""

from datetime import timedelta

import pytest

from app.core.ids import NIL, new_id
from app.core.resources import Resources
from app.jobs import dispatching
from app.jobs.job import Priority
from app.jobs.leadership import LeadershipLost, take_leadership
from app.jobs.running import claim
from db.core.transaction import system_transaction
from db.queries.jobs import dispatching as rows
from tests.app.jobs.stage import Desk, change, lead, rows_of


async def test_one_tenants_thousands_do_not_delay_anothers_one(resources: Resources) -> None:
    desk = Desk(resources)
    big, small = desk.caller(), desk.caller()
    await desk.put(big, 3000)
    await desk.put(small)

    out = await desk.dispatch(16)

    tenants = [job.tenant_id for job in out.jobs]
    assert tenants.index(small.tenant_id) <= 1
    assert tenants.count(big.tenant_id) == 12  # its share, though nobody else waits for the rest
    assert out.more


async def test_tenants_take_turns(resources: Resources) -> None:
    desk = Desk(resources)
    callers = [desk.caller() for _ in range(4)]
    for caller in callers:
        await desk.put(caller, 10)

    out = await desk.dispatch(8)

    assert [job.turn for job in out.jobs] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert {job.tenant_id for job in out.jobs[:4]} == {caller.tenant_id for caller in callers}


async def test_what_is_out_already_counts_for_a_tenants_turn_and_share(resources: Resources) -> None:
    desk = Desk(resources)
    first, second = desk.caller(), desk.caller()
    await desk.put(first, 20)
    assert len((await desk.dispatch(8)).jobs) == 6
    await desk.put(second, 20)

    out = await desk.dispatch(8)

    assert [job.tenant_id for job in out.jobs] == [second.tenant_id] * 2


async def test_the_window_is_never_exceeded_and_says_that_more_waits(resources: Resources) -> None:
    desk = Desk(resources)
    for _ in range(3):
        await desk.put(desk.caller(), 30)

    rounds = [await desk.dispatch(8) for _ in range(4)]

    async with system_transaction():
        assert (await rows.queue_now(desk.queue, resources.clock.now(), at_most=1))[0] == 8
    assert [len(each.jobs) for each in rounds] == [8, 0, 0, 0]
    assert all(each.more for each in rounds)


async def test_a_share_that_is_used_up_says_that_more_waits(resources: Resources) -> None:
    desk = Desk(resources)
    await desk.put(desk.caller(), 30)

    rounds = [await desk.dispatch(8), await desk.dispatch(8)]

    assert [(len(each.jobs), each.more) for each in rounds] == [(6, True), (0, True)]


async def test_sooner_is_what_is_more_urgent_whatever_came_first(resources: Resources) -> None:
    desk = Desk(resources)
    one, other = desk.caller(), desk.caller()
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT):
        await desk.put(one, 1, priority=priority)
        await desk.put(other, 1, priority=priority)

    out = await desk.dispatch(100)

    assert [job.priority for job in out.jobs] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert not out.more


async def test_what_is_due_later_waits_and_then_goes_earliest_first(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    now = caller.now()
    await desk.put(caller, due_at=now + timedelta(hours=1))
    await desk.put(caller, due_at=now - timedelta(seconds=5))
    await desk.put(caller, due_at=now - timedelta(seconds=9))

    out = await desk.dispatch(100)

    first, second, third = await rows_of(caller.tenant_id)
    assert [job.id for job in out.jobs] == [third["id"], second["id"]]
    assert (first["state"], second["state"], second["due_at"]) == ("queued", "dispatched", None)
    assert not out.more


async def test_a_hint_is_answered_for_the_named_tenants_only(resources: Resources) -> None:
    desk = Desk(resources)
    named, other = desk.caller(), desk.caller()
    await desk.put(named, 2)
    await desk.put(other, 2)

    out = await desk.dispatch(100, only=[named.tenant_id, new_id()])

    assert [job.tenant_id for job in out.jobs] == [named.tenant_id] * 2
    assert [row["state"] for row in await rows_of(other.tenant_id)] == ["queued", "queued"]


@pytest.mark.parametrize("each", [3, 30])  # few due jobs, and more than the sample: the scan over all who wait
async def test_with_more_tenants_than_room_all_are_served_in_a_circle(resources: Resources, each: int) -> None:
    """However old the backlog of some is: by age, the last tenant would wait for all of the first one's."""
    desk = Desk(resources)
    callers = [desk.caller() for _ in range(20)]
    for caller in callers:
        await desk.put(caller, each)

    seen, last = [], NIL
    for _ in range(4):
        out = await desk.dispatch(5, after=last)
        seen += [job.tenant_id for job in out.jobs]
        last = out.last
        for job in out.jobs:
            await claim(resources, job.tenant_id, [job.id], worker="test")

    assert sorted(seen) == sorted(caller.tenant_id for caller in callers)


async def test_in_a_backlog_of_many_tenants_only_the_next_ones_are_looked_at_and_a_hinted_one(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pick costs the same for thirty tenants and for thirty thousand; who was hinted does not wait for the circle."""
    monkeypatch.setattr(dispatching, "_CIRCLE", 1)
    desk = Desk(resources)
    callers = sorted([desk.caller() for _ in range(30)], key=lambda caller: caller.tenant_id)
    for caller in callers:
        await desk.put(caller, 20)
    await desk.put(callers[20], priority=Priority.URGENT)
    leadership, window = await lead(resources), dispatching.Window(4)

    out = await dispatching.dispatch(leadership, desk.queue, window, hinted=[callers[20].tenant_id])

    assert [job.tenant_id for job in out.jobs] == [callers[each].tenant_id for each in (20, 0, 1, 2)]
    assert (out.jobs[0].priority, out.last) == (0, callers[2].tenant_id)


async def test_tenants_with_nothing_due_do_not_stop_the_circle(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "_CIRCLE", 1)
    monkeypatch.setattr(dispatching, "_SAMPLE", 1)
    desk = Desk(resources)
    callers = sorted([desk.caller() for _ in range(9)], key=lambda caller: caller.tenant_id)
    for caller in callers[:8]:
        await desk.put(caller, due_at=caller.now() + timedelta(hours=1))
    await desk.put(callers[8])

    rounds, last = [], NIL
    for _ in range(5):
        out = await desk.dispatch(1, after=last)
        rounds.append(len(out.jobs))
        last = out.last

    assert rounds == [0, 0, 0, 0, 1]


async def test_a_leader_that_was_replaced_moves_nothing(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    old = await lead(resources, "old")
    await lead(resources, "new")

    with pytest.raises(LeadershipLost):
        await dispatching.dispatch(old, desk.queue, dispatching.Window(8))

    assert [row["state"] for row in await rows_of(caller.tenant_id)] == ["queued"]


async def test_the_same_name_under_an_older_fence_is_replaced_too(resources: Resources) -> None:
    old = await lead(resources, "same")
    new = await lead(resources, "same")

    assert new.fence > old.fence
    with pytest.raises(LeadershipLost):
        await old.renew(5)
    await new.renew(0)


async def test_nobody_takes_a_lease_that_runs(resources: Resources) -> None:
    leader = await lead(resources, "leader")
    await leader.renew(60)

    refused = await _try_to_lead(resources)
    await leader.give_back()
    taken = await _try_to_lead(resources)

    assert (refused, taken) == (None, leader.fence + 1)


async def test_a_run_that_lost_its_worker_waits_again(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 2)
    await desk.dispatch(8)
    await change(caller.tenant_id, "state = 'running', lease_until = $2", caller.now() - timedelta(seconds=1))

    assert await dispatching.reschedule_lost(await lead(resources)) >= 2

    assert [(row["state"], row["due_at"] is not None) for row in await rows_of(caller.tenant_id)] == [
        ("retry_scheduled", True)
    ] * 2


async def test_what_was_dispatched_and_not_claimed_is_found_and_marked_anew(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 2)
    await desk.dispatch(8)
    await change(caller.tenant_id, "dispatched_at = dispatched_at - interval '10 seconds'")
    leadership = await lead(resources)

    stale = [job for job in await dispatching.unclaimed(leadership, for_seconds=5) if job.queue == desk.queue]
    again = await dispatching.dispatch_again(leadership, stale)
    after = [job for job in await dispatching.unclaimed(leadership, for_seconds=5) if job.queue == desk.queue]

    assert {job.id for job in stale} == {row["id"] for row in await rows_of(caller.tenant_id)}
    assert (len(again), after) == (2, [])


async def _try_to_lead(resources: Resources) -> int | None:
    leadership = await take_leadership(resources.clock, "other", lease_seconds=0)
    return None if leadership is None else leadership.fence
