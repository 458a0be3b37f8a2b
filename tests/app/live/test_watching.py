"""Streams give every event once and in order, states the latest value; whatever happens to Redis and to readers."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import pytest

from app.core.caller import Caller
from app.core.errors import BadInput, Forbidden, Unauthenticated
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from app.live import watching as watching_module
from app.live.events import CursorExpired, StoredEvent, read_cursor, write_cursor
from app.live.retention import expire_live_events
from app.live.subscription import QUEUE_LENGTH
from app.live.watching import Only, state, stream, tenant_events
from db.core.transaction import tenant_transaction
from tests.app.live.stage import number, switch, tenant_caller, user_of, watching


async def take(events: AsyncGenerator[StoredEvent, None], count: int, *, seconds: float = 8) -> list[int]:
    """The numbers of the next `count` events."""
    async with asyncio.timeout(seconds):
        return [(await anext(events)).payload["number"] for _ in range(count)]


async def begin(events: AsyncGenerator[StoredEvent, None]) -> "asyncio.Task[StoredEvent]":
    """Subscribes, and waits for the first event in the background."""
    task = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.15)
    assert not task.done()
    return task


async def test_a_stream_from_now_on_gives_what_happens_next_in_order(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        await switch(caller, 1, 2)
        await number(mine)

        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 3, 4, 5)
            await number(mine)

            assert (await first).payload["number"] == 3
            assert await take(events, 2) == [4, 5]


async def test_a_stream_resumes_after_any_cursor_and_goes_on_live(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        await switch(caller, *range(1, 1201))  # more than a page
        await number(mine)

        async with aclosing(stream(caller, after=write_cursor(700))) as events:
            assert await take(events, 500) == list(range(701, 1201))
            await switch(caller, 1201)
            await number(mine)
            assert await take(events, 1) == [1201]


async def test_the_cursor_of_an_event_is_where_the_next_one_follows(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        await switch(caller, 1, 2, 3)
        await number(mine)
        async with aclosing(stream(caller, after=write_cursor(0))) as events:
            second = [await anext(events) for _ in range(2)][1]

        async with aclosing(stream(caller, after=second.cursor)) as events:
            assert await take(events, 1) == [3]


@pytest.mark.parametrize("cursor", ["", "x", "ZTotMQ", write_cursor(1) + "=", "ZTowMQ", "é", "YzoxMg"])
async def test_a_cursor_that_is_none_of_ours_is_bad_input(resources: Resources, cursor: str) -> None:
    async with watching(resources) as (mine, _):
        with pytest.raises(BadInput, match="no cursor of an event"):
            await anext(stream(tenant_caller(mine), after=cursor))


async def test_a_cursor_older_than_retention_has_expired_and_a_later_one_works(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        await switch(caller, 1, 2, 3)
        await number(mine)
        await _age(caller, up_to=2, by=timedelta(days=31))

        removed = await expire_live_events(caller)

        assert removed == 2
        with pytest.raises(CursorExpired):
            await anext(stream(caller, after=write_cursor(1)))
        async with aclosing(stream(caller, after=write_cursor(2))) as events:
            assert await take(events, 1) == [3]


async def test_a_cursor_ahead_of_all_events_has_expired_too(resources: Resources) -> None:
    """As after a restore from a backup: going on from there would skip events."""
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        with pytest.raises(CursorExpired):
            await anext(stream(caller, after=write_cursor(10)))


async def test_when_all_events_have_expired_positions_go_on(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        await switch(caller, 1, 2)
        await number(mine)
        await _age(caller, up_to=2, by=timedelta(days=31))
        assert await expire_live_events(caller) == 2
        await switch(caller, 3)

        [event] = await number(mine)

        assert event.position == 3


async def test_a_slow_reader_gets_every_event_and_never_grows_memory(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 0)
            await number(mine)
            await first
            total = QUEUE_LENGTH * 3
            for start in range(1, total, 100):  # nobody reads meanwhile
                await switch(caller, *range(start, min(start + 100, total)))
                await number(mine)
            await asyncio.sleep(0.2)

            assert await take(events, total - 1) == list(range(1, total))


async def test_events_lost_by_redis_are_read_from_the_table(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 1)
            await number(mine)
            await first
            await switch(caller, 2, 3)
            await number(mine, publishing=False)  # the relay died between commit and publish
            await switch(caller, 4)
            await number(mine)

            assert await take(events, 3) == [2, 3, 4]


async def test_a_lost_event_without_a_successor_arrives_too(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 1)
            await number(mine, publishing=False)

            assert (await asyncio.wait_for(first, 5)).payload["number"] == 1


async def test_without_redis_events_still_come_from_the_table(resources: Resources) -> None:
    async with watching(resources, redis_url="redis://127.0.0.1:1/0") as (mine, _):
        caller = tenant_caller(mine)
        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 1, 2)
            await number(mine, publishing=False)

            assert (await asyncio.wait_for(first, 5)).payload["number"] == 1
            assert await take(events, 1) == [2]


async def test_a_flushed_redis_costs_no_event(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 1)
            await number(mine)
            await first
            await mine.redis.flushdb()
            await switch(caller, 2, 3)
            await number(mine)

            assert await take(events, 2) == [2, 3]


async def test_published_twice_an_event_is_seen_once(resources: Resources) -> None:
    from app.live.numbering import publish

    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        async with aclosing(stream(caller, after=None)) as events:
            first = await begin(events)
            await switch(caller, 1, 2)
            numbered = await number(mine)
            await publish(mine.redis, numbered)
            await switch(caller, 3)
            await number(mine)

            assert (await first).payload["number"] == 1
            assert await take(events, 2) == [2, 3]


async def test_only_what_fits_is_given(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        house, lamp, workspace = new_id(), new_id(), new_id()
        await switch(caller, 1)
        await switch(caller, 2, house=house)
        await switch(caller, 3, lamp=house)
        await switch(caller, 4, lamp=lamp, workspace_id=workspace)
        await number(mine)

        for only, expected in (
            (Only(whole=("house_id", house)), [2, 3]),
            (Only(object_id=lamp), [4]),
            (Only(workspace_id=workspace), [4]),
            (Only(topics=frozenset({"lamp.switched"})), [1, 2, 3, 4]),
        ):
            async with aclosing(stream(caller, after=write_cursor(0), only=only)) as events:
                assert await take(events, len(expected)) == expected  # from the table
        async with aclosing(stream(caller, after=None, only=Only(whole=("house_id", house)))) as events:
            first = await begin(events)
            await switch(caller, 5)
            await switch(caller, 6, house=house)
            await number(mine)
            assert (await first).payload["number"] == 6  # from the queue


async def test_a_few_events_among_many_are_found_in_bounded_steps(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "LOOKED_AT", 10)
    async with watching(resources) as (mine, _):
        caller, house = tenant_caller(mine), new_id()
        await switch(caller, *range(1, 51))
        await switch(caller, 51, house=house)
        await switch(caller, *range(52, 101))
        await number(mine)

        async with aclosing(stream(caller, after=write_cursor(3), only=Only(whole=("house_id", house)))) as events:
            assert await take(events, 1) == [51]
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.2)
            await switch(caller, 101, house=house)
            await number(mine)
            assert (await asyncio.wait_for(waiting, 5)).payload["number"] == 101


async def test_a_member_sees_its_own_workspaces_and_nothing_of_others_or_other_tenants(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller, other = tenant_caller(mine), tenant_caller(mine)
        here, elsewhere = new_id(), new_id()
        member = user_of(mine, caller.tenant_id, TenantRole.MEMBER, **{str(here): WorkspaceRole.VIEWER})
        await switch(caller, 1, workspace_id=here)
        await switch(caller, 2, workspace_id=elsewhere)
        await switch(caller, 3)
        await switch(other, 4, workspace_id=here)
        await switch(caller, 5, workspace_id=here)
        await number(mine)

        async with aclosing(tenant_events(member, write_cursor(0))) as events:
            assert await take(events, 2) == [1, 5]
            with pytest.raises(TimeoutError):
                await take(events, 1, seconds=0.3)


async def test_a_workspace_left_meanwhile_is_seen_no_more(resources: Resources) -> None:
    async with watching(resources) as (mine, roles):
        caller, here, there = tenant_caller(mine), new_id(), new_id()
        both = {str(here): WorkspaceRole.VIEWER, str(there): WorkspaceRole.VIEWER}
        member = user_of(mine, caller.tenant_id, TenantRole.MEMBER, **both)
        async with aclosing(tenant_events(member, None)) as events:
            first = await begin(events)
            await switch(caller, 1, workspace_id=here)
            await number(mine)
            await first
            roles.now[member.user_id] = (TenantRole.MEMBER, {there: WorkspaceRole.VIEWER})
            await switch(caller, 2, workspace_id=here)
            await switch(caller, 3, workspace_id=there)
            await number(mine)

            assert await take(events, 1) == [3]


async def test_a_revoked_session_ends_the_stream_before_the_next_event(resources: Resources) -> None:
    async with watching(resources) as (mine, roles):
        caller = tenant_caller(mine)
        owner = user_of(mine, caller.tenant_id, TenantRole.OWNER)
        async with aclosing(tenant_events(owner, None)) as events:
            first = await begin(events)
            roles.gone.add(owner.user_id)
            await switch(caller, 1)
            await number(mine)

            with pytest.raises(Unauthenticated):
                await first


async def test_who_may_not_watch_is_refused_at_once(resources: Resources) -> None:
    from dataclasses import replace

    async with watching(resources) as (mine, _):
        nobody = replace(user_of(mine, new_id(), TenantRole.MEMBER), role=None)
        with pytest.raises(Forbidden):
            await anext(tenant_events(nobody, None))


async def test_a_state_gives_the_first_value_at_once_and_then_coalesces(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)
        loads: list[float] = []
        value = 0

        async def load(_caller: Caller) -> int:
            loads.append(asyncio.get_running_loop().time())
            return value

        values = state(caller, only=Only(topics=frozenset({"lamp.switched"})), load=load, every_seconds=0.5)
        async with aclosing(values):
            assert await asyncio.wait_for(anext(values), 1) == 0
            latest = asyncio.ensure_future(anext(values))
            for value in range(1, 21):
                await switch(caller, value)
                await number(mine)
            seen = await asyncio.wait_for(latest, 3)
            while seen != 20:  # the last one wins
                seen = await asyncio.wait_for(anext(values), 3)

        assert len(loads) <= 5
        assert all(later - earlier >= 0.49 for earlier, later in itertools.pairwise(loads))


async def test_a_state_that_did_not_change_is_not_repeated(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        caller = tenant_caller(mine)

        async def load(_caller: Caller) -> str:
            return "same"

        async with aclosing(state(caller, only=Only(), load=load, every_seconds=0.1)) as values:
            assert await anext(values) == "same"
            again = asyncio.ensure_future(anext(values))
            await switch(caller, 1)
            await number(mine)
            await asyncio.sleep(0.5)

            assert not again.done()
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)


async def test_nothing_is_left_of_a_subscriber_that_went_away(resources: Resources) -> None:
    from app.live.feed import LiveFeed

    async with watching(resources) as (mine, _):
        feed = mine.port(LiveFeed)
        events = stream(tenant_caller(mine), after=None)
        first = await begin(events)
        assert feed.subscribers == 1

        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await events.aclose()

        assert feed.subscribers == 0


def test_a_cursor_says_its_position() -> None:
    assert [read_cursor(write_cursor(each)) for each in (0, 1, 2**63 - 1)] == [0, 1, 2**63 - 1]


async def _age(caller: Caller, *, up_to: int, by: timedelta) -> None:
    async with tenant_transaction(caller.tenant_id) as transaction:
        await transaction.execute(
            "UPDATE live_events SET created_at = created_at - $3::interval WHERE tenant_id = $1 AND position <= $2",
            caller.tenant_id,
            up_to,
            by,
        )
