"""One queue's loop in the relay: answers hints at once, looks for itself once a second, and fills the window as it empties."""

import asyncio
import time
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from actors.core.broker import MessageQueues
from actors.core.metrics import RelayMetrics
from app.core.ids import NIL
from app.jobs.dispatching import Dispatches, Window, dispatch
from app.jobs.leadership import Leadership

MOST_HINTED = 200
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.05

_log = structlog.get_logger(__name__)


class QueueDispatcher:
    """Dispatches first and pushes to Redis after the commit; what gets lost in between the sweeper finds."""

    def __init__(self, queue: str, window: Window, *, messages: MessageQueues, metrics: RelayMetrics) -> None:
        self._queue = queue
        self._window = window
        self._messages = messages
        self._metrics = metrics
        self._hinted: set[UUID] = set()
        self._wake = asyncio.Event()
        self._last = NIL  # the tenant whose turn was last
        self.dispatched = 0

    def hint(self, tenant: str) -> None:
        """Something is due for the tenant. A malformed hint, or one too many, is left to the full query."""
        try:
            tenant_id = UUID(tenant)
        except ValueError:
            return
        if len(self._hinted) < MOST_HINTED:
            self._hinted.add(tenant_id)
            self._wake.set()

    async def run(self, leadership: Leadership, gate: asyncio.Semaphore, full_query_seconds: float) -> None:
        """Until it fails. Raises LeadershipLost and what the database raises."""
        full_at, pause = 0.0, SHORTEST_PAUSE
        while True:
            started = time.monotonic()
            is_full = started >= full_at or not self._hinted
            hinted = list(self._hinted)
            self._hinted.clear()
            self._wake.clear()
            async with gate:
                out = await dispatch(
                    leadership, self._queue, self._window, after=self._last, hinted=hinted, hinted_only=not is_full
                )
            self._last = out.last
            await self._push(out)
            if out.more:  # at once while the workers take it, less and less often while they do not
                full_at, pause = 0.0, SHORTEST_PAUSE if out.jobs else min(2 * pause, LONGEST_PAUSE)
                await asyncio.sleep(SHORTEST_PAUSE if out.jobs else pause)
                continue
            if is_full:
                full_at = started + full_query_seconds
            await self._wait(full_at - time.monotonic())

    async def _push(self, out: Dispatches) -> None:
        if not out.jobs:
            return
        self.dispatched += len(out.jobs)
        self._metrics.dispatched.labels(self._queue).inc(len(out.jobs))
        try:
            await self._messages.push(self._queue, out.jobs)
        except (RedisError, OSError) as error:
            _log.warning("jobs_not_pushed", queue=self._queue, count=len(out.jobs), error=str(error))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            self._wake.clear()
