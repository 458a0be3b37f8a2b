"""The relay: one process leads, moves due jobs to Redis and numbers live events; another stands ready.

PostgreSQL is the truth and Redis the wake-up: every loop here also works without any hint, only later.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from actors.core.broker import MessageQueues
from actors.core.metrics import RelayMetrics
from actors.core.relay_dispatch import QueueDispatcher
from actors.core.relay_sweep import Sweeper
from app.core.ending import end_tasks
from app.core.hints import CHANNEL, read_hints
from app.core.resources import Resources
from app.jobs.dispatching import Window, loads
from app.jobs.leadership import Leadership, LeadershipLost, take_leadership
from app.jobs.relay_report import RelayReport, leave_report
from app.live.numbering import lag_seconds, number_events, publish
from app.live.recording import LIVE_HINT

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Real seconds between the relay's own looks; hints make it look sooner."""

    lease: float = 5.0
    standby: float = 1.0
    full_query: float = 1.0
    numbering: float = 0.25
    gather: float = 0.005
    sweep: float = 2.0
    unclaimed: float = 60.0
    report: float = 5.0
    after_failure: float = 0.5


@dataclass(slots=True)
class _Counts:
    numbered: int = 0
    event_lag: float = 0.0
    dispatchers: dict[str, QueueDispatcher] = field(default_factory=dict)


def relay_name() -> str:
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


class Relay:
    """`queues`: every queue that has a handler. `jobs_redis`: the Redis database of the queues."""

    def __init__(
        self,
        resources: Resources,
        queues: Sequence[str],
        *,
        jobs_redis: Redis,
        name: str = "",
        pace: Pace | None = None,
    ) -> None:
        self._resources = resources
        self._queues = tuple(queues)
        self._messages = MessageQueues(jobs_redis)
        self._pace = pace or Pace()
        self._name = name or relay_name()
        settings = resources.settings
        self._window = Window(settings.job_window or 2 * settings.worker_threads)
        self._live = asyncio.Event()
        self._counts = _Counts()
        self.metrics = RelayMetrics()

    async def run(self, stop: asyncio.Event) -> None:
        """Leads whenever it can, until `stop` is set; then gives the lease back, so that a standby need not wait."""
        leadership: Leadership | None = None
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                leadership = await self._one_term(leadership, stopping)
        finally:
            stopping.cancel()
            self.metrics.leads.set(0)
            if leadership is not None:
                await self._give_back(leadership)

    async def _give_back(self, leadership: Leadership) -> None:
        try:
            await leadership.give_back()
        except Exception as error:  # noqa: BLE001  # the lease ends by itself within seconds
            _log.warning("leadership_not_given_back", error=f"{type(error).__name__}: {error}")

    async def _one_term(self, leadership: Leadership | None, stopping: "asyncio.Task[bool]") -> Leadership | None:
        """Leads until that ends, or waits a moment as standby. Returns the leadership that it may still have."""
        try:
            if leadership is None:
                leadership = await take_leadership(self._resources.clock, self._name, lease_seconds=self._pace.lease)
            if leadership is None:
                await asyncio.wait([stopping], timeout=self._pace.standby)
                return None
            await self._lead(leadership, stopping)
        except LeadershipLost:
            _log.warning("leadership_lost", name=self._name)
            return None
        except Exception as error:  # noqa: BLE001  # a database that restarts: the lease is tried again, the loops start anew
            _log.warning("relay_interrupted", error=f"{type(error).__name__}: {error}")
            await asyncio.wait([stopping], timeout=self._pace.after_failure)
        finally:
            self.metrics.leads.set(0)
        return leadership

    async def _lead(self, leadership: Leadership, stopping: "asyncio.Task[bool]") -> None:
        """Runs every loop until one of them fails (whose error is raised) or the process shall stop."""
        await leadership.renew(self._pace.lease)
        _log.info("relay_leads", name=self._name, fence=leadership.fence)
        self.metrics.leads.set(1)
        gate = asyncio.Semaphore(1)  # one long query at a time, so that numbering and renewing find a free connection
        self._counts.dispatchers = {
            queue: QueueDispatcher(queue, self._window, messages=self._messages, metrics=self.metrics)
            for queue in self._queues
        }
        sweeper = Sweeper(leadership, self._messages, self.metrics, unclaimed_seconds=self._pace.unclaimed)
        loops = [
            self._renew(leadership),
            self._listen(),
            self._number(leadership),
            sweeper.run(gate, every_seconds=self._pace.sweep),
            self._report(leadership, gate),
            *(each.run(leadership, gate, self._pace.full_query) for each in self._counts.dispatchers.values()),
        ]
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(loop) for loop in loops]
        try:
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(tasks)
        for task in done - {stopping}:
            task.result()

    async def _renew(self, leadership: Leadership) -> None:
        while True:
            await asyncio.sleep(self._pace.lease / 3)
            await leadership.renew(self._pace.lease)

    async def _listen(self) -> None:
        """Turns hints into wake-ups. Without Redis nothing is heard, and every loop looks by itself."""
        while True:
            try:
                async with self._resources.redis.pubsub() as hints:
                    await hints.subscribe(CHANNEL)
                    while True:
                        message = await hints.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message is not None:
                            self._wake(message["data"])
            except (RedisError, OSError) as error:
                _log.warning("relay_hears_no_hints", error=str(error))
                await asyncio.sleep(self._pace.after_failure)

    def _wake(self, message: bytes) -> None:
        for queue, tenant in read_hints(message):
            if queue == LIVE_HINT:
                self._live.set()
            elif queue in self._counts.dispatchers:
                self._counts.dispatchers[queue].hint(tenant)

    async def _number(self, leadership: Leadership) -> None:
        limit = 1000
        while True:
            self._live.clear()
            events = await number_events(leadership.transaction, limit=limit)
            if events:
                self._counts.numbered += len(events)
                self._counts.event_lag = lag_seconds(events, self._resources.clock.now())
                self.metrics.numbered.inc(len(events))
                self.metrics.event_lag.set(self._counts.event_lag)
                try:
                    await publish(self._resources.redis, events)
                except (RedisError, OSError) as error:
                    _log.warning("events_not_published", count=len(events), error=str(error))
            if len(events) < limit:
                await self._wait_for_events()
            await asyncio.sleep(self._pace.gather)

    async def _wait_for_events(self) -> None:
        try:
            async with asyncio.timeout(self._pace.numbering):
                await self._live.wait()
        except TimeoutError:
            self._counts.event_lag = 0.0 if not self._live.is_set() else self._counts.event_lag

    async def _report(self, leadership: Leadership, gate: asyncio.Semaphore) -> None:
        while True:
            async with gate:
                found, oldest = await loads(leadership, self._queues)
            self.metrics.oldest_due.set(oldest)
            self.metrics.jobs.clear()
            for load in found:
                self.metrics.jobs.labels(load.queue, load.state).set(load.jobs)
            report = RelayReport(
                holder=self._name,
                fence=leadership.fence,
                jobs=[(load.queue, load.state, load.jobs) for load in found],
                oldest_due_seconds=oldest,
                event_lag_seconds=self._counts.event_lag,
                events_numbered=self._counts.numbered,
                jobs_dispatched=sum(each.dispatched for each in self._counts.dispatchers.values()),
            )
            try:
                await leave_report(self._resources.redis, report)
            except (RedisError, OSError) as error:
                _log.info("relay_report_not_left", error=str(error))
            await asyncio.sleep(self._pace.report)
