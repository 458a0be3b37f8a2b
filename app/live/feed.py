"""The live feed of one API process: one Redis reader for all subscribers, and the table where Redis has nothing to say."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.ending import end_tasks
from app.live.events import StoredEvent, decode_event
from app.live.numbering import FIELD, stream_key
from app.live.subscription import Subscription, Tail
from db.core.transaction import tenant_transaction
from db.queries.live import reading

BLOCK_MILLISECONDS = 1000
BATCH = 500
POLL_SECONDS = 0.5
CHECK_SECONDS = 10.0
MOST_FILLED = 2000

_log = structlog.get_logger(__name__)


class LiveFeed:
    """Made by wiring, one per process; it connects with the first subscriber.

    Events come from Redis; where a position is missing, where Redis is gone, and every ten seconds of silence, the table
    is asked: what is published after a commit may get lost on the way, what was committed may not.
    """

    def __init__(self, redis_url: str, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._url = redis_url
        self._check_seconds = check_seconds
        self._tails: dict[UUID, Tail] = {}
        self._joining = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._blocked: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def subscribed(self, tenant_id: UUID, accepts: Callable[[StoredEvent], bool]) -> AsyncIterator[Subscription]:
        """Offers every event of the tenant that `accepts` takes, from now on, until the block is left."""
        async with self._joining:
            tail = self._tails.get(tenant_id)
            if tail is None:
                async with tenant_transaction(tenant_id, read_only=True):
                    head = await reading.bounds()
                tail = self._tails[tenant_id] = Tail(tenant_id, head.last_position, checked_at=time.monotonic())
                await self._follow_new_tail()
            subscription = Subscription(accepts, reached=tail.position)
            tail.subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            tail.subscriptions.discard(subscription)
            if not tail.subscriptions and self._tails.get(tenant_id) is tail:
                del self._tails[tenant_id]

    @property
    def subscribers(self) -> int:
        return sum(len(tail.subscriptions) for tail in self._tails.values())

    async def close(self) -> None:
        """Stops reading. Subscribers get nothing more."""
        tasks, self._tasks = self._tasks, []
        await end_tasks(tasks)

    async def _follow_new_tail(self) -> None:
        self._wanted.set()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._check())]
        elif self._blocked is not None:
            await self._unblock(self._blocked)

    async def _unblock(self, client_id: int) -> None:
        """Makes the reader ask again, now for the new tenant too; without it that happens within a second."""
        client = Redis.from_url(self._url, socket_timeout=1, socket_connect_timeout=1)
        try:
            await client.client_unblock(client_id)
        except (RedisError, OSError) as error:
            _log.info("reader_not_unblocked", error=str(error))
        finally:
            await client.aclose()

    async def _read(self) -> None:
        """Follows the streams; while Redis is gone, polls the table."""
        while True:
            await self._wanted.wait()
            client = Redis.from_url(
                self._url, single_connection_client=True, socket_connect_timeout=1, socket_timeout=5
            )
            try:
                await self._follow(client)
            except (RedisError, OSError) as error:
                _log.warning("live_feed_polls_the_table", error=str(error))
                await self._fill_all()
                await asyncio.sleep(POLL_SECONDS)
            finally:
                self._blocked = None
                await client.aclose()

    async def _follow(self, client: Redis) -> None:
        client_id = await client.client_id()
        await self._fill_all()  # what was published while nobody listened
        while self._tails:
            places: dict[Any, Any] = {stream_key(key): f"{tail.position}-0" for key, tail in self._tails.items()}
            self._blocked = client_id
            answer: Any = await client.xread(places, count=BATCH, block=BLOCK_MILLISECONDS)
            self._blocked = None
            for key, entries in answer.items() if isinstance(answer, dict) else answer or ():
                await self._hand_out(UUID(_text(key).rpartition(":")[2]), _flat(entries))
        self._wanted.clear()

    async def _hand_out(self, tenant_id: UUID, entries: list[Any]) -> None:
        tail = self._tails.get(tenant_id)
        if tail is None:
            return
        tail.checked_at = time.monotonic()
        for _entry_id, fields in entries:
            event = decode_event(fields[FIELD])
            if not tail.follows(event):
                await self._fill(tail)
            tail.offer(event)

    async def _check(self) -> None:
        """Asks the table about tenants of which nothing was heard for a while."""
        while True:
            await asyncio.sleep(self._check_seconds / 4)
            silent_since = time.monotonic() - self._check_seconds
            for tail in [each for each in self._tails.values() if each.checked_at < silent_since]:
                await self._fill(tail)

    async def _fill_all(self) -> None:
        for tail in list(self._tails.values()):
            await self._fill(tail)

    async def _fill(self, tail: Tail) -> None:
        """Offers what the table has after the tail; or, where that is a lot, sends the subscribers there themselves."""
        tail.checked_at = time.monotonic()
        try:
            async with tenant_transaction(tail.tenant_id, read_only=True):
                head = await reading.bounds()
                missing = head.last_position - tail.position
                rows = (
                    await reading.events_after(tail.position, up_to=head.last_position, limit=MOST_FILLED)
                    if 0 < missing <= MOST_FILLED
                    else []
                )
        except Exception as error:  # noqa: BLE001  # whatever ails the database: the feed outlives it and asks again
            _log.warning("live_feed_cannot_read_the_table", tenant=str(tail.tenant_id), error=str(error))
            return
        if missing > MOST_FILLED:
            tail.skip_to(head.last_position)
        for row in rows:
            tail.offer(StoredEvent.of(row))


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def _flat(entries: Any) -> list[Any]:
    """redis-py nests the entries once more under RESP3."""
    return entries[0] if len(entries) == 1 and isinstance(entries[0], list) else entries
