"""The sweeper: sends again what was dispatched and got lost on the way, and reschedules what lost its worker."""

import asyncio
from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from actors.core.broker import MessageQueues
from actors.core.metrics import RelayMetrics
from app.jobs.dispatching import UnclaimedJob, dispatch_again, reschedule_lost, unclaimed
from app.jobs.leadership import Leadership

LOST_AFTER_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class Sweeper:
    """A job that Redis has no message of is lost after two seconds; one that it has is sent again after
    `unclaimed_seconds`, because a killed worker may hold it. Sent twice does no harm: a job is claimed once."""

    def __init__(
        self, leadership: Leadership, messages: MessageQueues, metrics: RelayMetrics, *, unclaimed_seconds: float
    ) -> None:
        self._leadership = leadership
        self._messages = messages
        self._metrics = metrics
        self._unclaimed_seconds = unclaimed_seconds

    async def run(self, gate: asyncio.Semaphore, *, every_seconds: float) -> None:
        """Until it fails. Raises LeadershipLost and what the database raises."""
        while True:
            async with gate:
                rescheduled = await reschedule_lost(self._leadership)
                stale = await unclaimed(self._leadership, for_seconds=LOST_AFTER_SECONDS)
            if rescheduled:
                self._metrics.swept.labels("lease_ended").inc(rescheduled)
                _log.warning("jobs_lost_their_worker", count=rescheduled)
            if stale:
                await self._send_again(gate, stale)
            await asyncio.sleep(every_seconds)

    async def _send_again(self, gate: asyncio.Semaphore, stale: Sequence[UnclaimedJob]) -> None:
        clock = self._leadership.clock
        now = clock.now()
        old = now - (clock.after(self._unclaimed_seconds) - now)
        for queue in sorted({job.queue for job in stale}):
            jobs = [job for job in stale if job.queue == queue]
            try:
                missing = await self._messages.missing(queue, [job.id for job in jobs])
                wanted = [job for job in jobs if job.id in missing or job.dispatched_at < old]
                if not wanted:
                    continue
                async with gate:
                    again = await dispatch_again(self._leadership, wanted)
                await self._messages.push_again(queue, again)
            except (RedisError, OSError) as error:
                _log.warning("jobs_not_sent_again", queue=queue, count=len(jobs), error=str(error))
                continue
            self._metrics.swept.labels("unclaimed").inc(len(again))
            _log.warning("jobs_sent_again", queue=queue, count=len(again))
