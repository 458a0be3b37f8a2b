"""Moving due jobs towards the workers: fairly, by priority, and never more than the workers can soon begin.

The window keeps the order here: what is in Redis is first in, first out, so only a little may be there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.ids import NIL
from app.jobs.leadership import Leadership
from db.queries.jobs import dispatching as rows
from db.queries.jobs.dispatching import DispatchedJob, QueueLoad, UnclaimedJob

__all__ = ["DispatchedJob", "Dispatches", "QueueLoad", "UnclaimedJob", "Window"]

_SAMPLE = 500
_SWEEP_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Window:
    """At most `size` jobs of a queue are dispatched and unclaimed, at most `share` of one tenant."""

    size: int

    @property
    def share(self) -> int:
        return max(1, self.size * 3 // 4)


@dataclass(frozen=True, slots=True)
class Dispatches:
    """What went out, and whether more may be due than the window had room for."""

    jobs: list[DispatchedJob]
    more: bool

    @property
    def last(self) -> UUID | None:
        """Whose turn was last."""
        return self.jobs[-1].tenant_id if self.jobs else None


async def dispatch(
    leadership: Leadership,
    queue: str,
    window: Window,
    *,
    after: UUID = NIL,
    tenants: Sequence[UUID] | None = None,
) -> Dispatches:
    """Marks due jobs dispatched as far as the window has room: of the hinted tenants, or of all. Raises LeadershipLost.

    Tenants take turns in a circle; `after` is the one whose turn was last.
    """
    now = leadership.clock.now()
    async with leadership.transaction():
        out, due = await rows.queue_now(queue, now, at_most=_SAMPLE)
        room = window.size - out
        if room <= 0 or not due:
            return Dispatches([], more=bool(due))
        # While few jobs are due, their tenants are named; the loose scan over all who wait is for a backlog.
        all_due = list(set(due)) if len(due) < _SAMPLE else None
        jobs = await rows.dispatch_due(
            queue, room=room, share=window.share, now=now, after=after, tenants=all_due if tenants is None else tenants
        )
    return Dispatches(jobs, more=len(due) > len(jobs))


async def unclaimed(leadership: Leadership, *, for_seconds: float) -> list[UnclaimedJob]:
    """Jobs that went out `for_seconds` (real time) ago or longer and that no worker has claimed."""
    before = _past(leadership, for_seconds)
    async with leadership.transaction():
        return await rows.unclaimed_since(before, limit=_SWEEP_LIMIT)


async def dispatch_again(leadership: Leadership, jobs: Sequence[UnclaimedJob]) -> list[UnclaimedJob]:
    """Those of `jobs` that are still unclaimed, marked as dispatched now."""
    async with leadership.transaction():
        return await rows.dispatch_again(jobs, leadership.clock.now())


async def reschedule_lost(leadership: Leadership) -> int:
    """Jobs whose worker was lost wait again. Returns how many."""
    async with leadership.transaction():
        return await rows.reschedule_lost(leadership.clock.now(), limit=_SWEEP_LIMIT)


async def loads(leadership: Leadership, queues: Sequence[str]) -> tuple[list[QueueLoad], float]:
    """Open jobs by queue and state, and for how many seconds the most delayed one has been due."""
    now = leadership.clock.now()
    async with leadership.transaction():
        oldest = await rows.oldest_due_at(queues, now)
        found = await rows.queue_loads()
    return found, 0.0 if oldest is None else (now - oldest).total_seconds()


def _past(leadership: Leadership, real_seconds: float) -> datetime:
    now = leadership.clock.now()
    return now - (leadership.clock.after(real_seconds) - now)
