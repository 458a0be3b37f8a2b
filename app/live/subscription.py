"""One subscriber's bounded queue of events, and the tail of a tenant's events that feeds it."""

import asyncio
from collections import deque
from collections.abc import Callable
from uuid import UUID

from app.live.events import StoredEvent

QUEUE_LENGTH = 256


class Subscription:
    """Holds what the subscriber has not read yet. When that is too much, all of it is dropped and the reader is told:
    it then reads on from the table, so a slow reader costs time and never memory."""

    __slots__ = ("_accepts", "_changed", "_events", "lagging", "reached")

    def __init__(self, accepts: Callable[[StoredEvent], bool], *, reached: int) -> None:
        self._accepts = accepts
        self._events: deque[StoredEvent] = deque()
        self._changed = asyncio.Event()
        self.lagging = False
        self.reached = reached  # everything up to this position was offered

    def offer(self, event: StoredEvent) -> None:
        self.reached = event.position
        if self.lagging or not self._accepts(event):
            return
        if len(self._events) >= QUEUE_LENGTH:
            self.lag()
            return
        self._events.append(event)
        self._changed.set()

    def lag(self) -> None:
        """Forgets what is queued; the reader must resync."""
        self._events.clear()
        self.lagging = True
        self._changed.set()

    def rejoin(self) -> None:
        """The reader is about to read the table: from here on events are queued for it again."""
        self._events.clear()
        self.lagging = False
        self._changed.clear()

    async def changed(self) -> None:
        """Returns when an event is queued, or when the reader must resync."""
        await self._changed.wait()

    def take(self) -> StoredEvent | None:
        """The next event, or None when there is none now."""
        if self._events:
            return self._events.popleft()
        if not self.lagging:
            self._changed.clear()
        return None


class Tail:
    """The end of one tenant's events in this process: every event after `position` will be offered, in order."""

    __slots__ = ("checked_at", "position", "subscriptions", "tenant_id")

    def __init__(self, tenant_id: UUID, position: int, *, checked_at: float) -> None:
        self.tenant_id = tenant_id
        self.position = position
        self.checked_at = checked_at
        self.subscriptions: set[Subscription] = set()

    def follows(self, event: StoredEvent) -> bool:
        """Whether nothing is missing between what was offered and this event."""
        return event.position <= self.position + 1

    def offer(self, event: StoredEvent) -> None:
        """To every subscriber; an event that was offered before is dropped."""
        if event.position <= self.position:
            return
        self.position = event.position
        for subscription in self.subscriptions:
            subscription.offer(event)

    def skip_to(self, position: int) -> None:
        """Too much was missed to hand it out: every subscriber reads the table for itself."""
        self.position = position
        for subscription in self.subscriptions:
            subscription.lag()
