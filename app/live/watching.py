"""Two ways to watch: a stream has every event once and in order, a state has the latest value and no more than is needed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from app.core.caller import Caller, CallerKind
from app.core.permissions import Permission
from app.core.use_case import watches
from app.live.events import CursorExpired, StoredEvent, read_cursor
from app.live.feed import LiveFeed
from app.live.ports import CallerCheck
from app.live.subscription import Subscription
from db.queries.live import reading
from db.queries.live.reading import EventFilter

__all__ = ["CursorExpired", "Only", "StoredEvent", "state", "stream", "tenant_events"]

PAGE = 500
LOOKED_AT = 20_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Only:
    """Which events; each given field must fit. `whole` = ("campaign_id", id): the campaign's own events and those of
    everything whose payload names it so."""

    topics: frozenset[str] = frozenset()
    workspace_id: UUID | None = None
    object_id: UUID | None = None
    whole: tuple[str, UUID] | None = None

    def matches(self, event: StoredEvent) -> bool:
        if self.topics and event.topic not in self.topics:
            return False
        if self.workspace_id is not None and event.workspace_id != self.workspace_id:
            return False
        if self.object_id is not None and event.object_id != self.object_id:
            return False
        if self.whole is None:
            return True
        field, whole_id = self.whole
        return event.object_id == whole_id or event.payload.get(field) == str(whole_id)

    def in_table(self) -> EventFilter:
        return EventFilter(tuple(sorted(self.topics)), self.workspace_id, self.object_id, self.whole)


_EVERYTHING = Only()


class _Guard:
    """Asks again and again whether the caller may still watch, and what it sees."""

    def __init__(self, caller: Caller, permission: Permission) -> None:
        self._caller = caller
        self._permission = permission

    async def check(self) -> Caller:
        """The caller as it stands now. Raises Unauthenticated, Forbidden."""
        if self._caller.kind is not CallerKind.JOB:
            self._caller = await self._caller.resources.port(CallerCheck).current(self._caller)
        self._caller.must(self._permission)
        return self._caller

    async def shows(self, event: StoredEvent) -> bool:
        """Events of a workspace to those who may there; events of the whole tenant to those who see every workspace."""
        caller = await self.check()
        if event.workspace_id is None:
            return caller.sees_every_workspace
        return caller.sees(event.workspace_id) and caller.may(self._permission, event.workspace_id)


async def stream(
    caller: Caller,
    *,
    after: str | None,
    only: Only = _EVERYTHING,
    permission: Permission = Permission.LIVE_READ,
) -> AsyncGenerator[StoredEvent, None]:
    """Every event that fits and that the caller may see: once, in order; after the cursor, or from now on.

    Raises BadInput for a malformed cursor, CursorExpired when events after it are gone (also when the reader itself is
    that slow), Unauthenticated and Forbidden when the right to watch ends.
    """
    start = None if after is None else read_cursor(after)
    guard = _Guard(caller, permission)
    await guard.check()
    feed = caller.resources.port(LiveFeed)
    async with feed.subscribed(caller.tenant_id, only.matches) as subscription:
        position = await _first_position(caller, start)
        async with aclosing(_events(caller, only, subscription, position)) as events:
            async for event in events:
                if await guard.shows(event):
                    yield event


async def _first_position(caller: Caller, start: int | None) -> int:
    async with caller.transaction(read_only=True):
        head = await reading.bounds()
    if start is None:
        return head.last_position
    if start > head.last_position:
        raise CursorExpired
    return start


async def _events(
    caller: Caller, only: Only, subscription: Subscription, position: int
) -> AsyncGenerator[StoredEvent, None]:
    """The table up to its head, then what is queued; and the table again whenever the queue overflowed."""
    while True:
        subscription.rejoin()
        async with aclosing(_from_table(caller, only, position)) as rows:
            async for reached, event in rows:
                position = reached
                if event is not None:
                    yield event
        while not subscription.lagging:
            event = subscription.take()
            if event is None:
                position = max(position, subscription.reached)
                await subscription.changed()
            elif event.position > position:
                position = event.position
                yield event


async def _from_table(
    caller: Caller, only: Only, position: int
) -> AsyncGenerator[tuple[int, StoredEvent | None], None]:
    """(position, event) up to the head as it is now; (position, None) where nothing fits. Raises CursorExpired.

    Each transaction looks at a bounded number of positions, however few of them fit; or only at those that fit.
    """
    head: int | None = None
    where = only.in_table()
    while head is None or position < head:
        async with caller.transaction(read_only=True):
            found = await reading.bounds()
            head = found.last_position if head is None else head
            end = head if where.is_of_campaign else min(head, position + LOOKED_AT)
            rows = await reading.events_after(position, up_to=end, limit=PAGE, only=where)
        if position < found.expired_position:
            raise CursorExpired
        for row in rows:
            position = row.position
            yield position, StoredEvent.of(row)
        if len(rows) < PAGE:
            position = max(position, end)
            yield position, None


async def state(
    caller: Caller,
    *,
    only: Only,
    load: Callable[[Caller], Awaitable[Value]],
    permission: Permission = Permission.LIVE_READ,
    every_seconds: float = 1.0,
) -> AsyncGenerator[Value, None]:
    """`load(caller)` at once, then after events that fit: at most once in `every_seconds` of real time, the last wins.

    A value equal to the one before is left out. `load` checks itself what the caller may see; what it raises ends the
    subscription, as do Unauthenticated and Forbidden when the right to watch ends.
    """
    guard = _Guard(caller, permission)
    first = await guard.check()
    feed = caller.resources.port(LiveFeed)
    async with feed.subscribed(caller.tenant_id, only.matches) as subscription:
        value = await load(first)
        loaded_at = time.monotonic()
        yield value
        while True:
            await subscription.changed()
            await asyncio.sleep(max(0.0, loaded_at + every_seconds - time.monotonic()))
            subscription.rejoin()
            loaded_at = time.monotonic()
            latest = await load(await guard.check())
            if latest != value:
                value = latest
                yield value


@watches(Permission.LIVE_READ)
async def tenant_events(caller: Caller, after: str | None) -> AsyncGenerator[StoredEvent, None]:
    """Everything that happens in the tenant and that the caller may see."""
    async with aclosing(stream(caller, after=after)) as events:
        async for event in events:
            yield event
