"""Moving due jobs towards the workers: fairly, by priority, and never more than the workers can soon begin.

The window keeps the order here: what is in Redis is first in, first out, so only a little may be there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.ids import NIL
from app.jobs.leadership import Leadership
from db.queries.jobs import dispatching as rows
from db.queries.jobs.dispatching import DispatchedJob, QueueLoad, UnclaimedJob

__all__ = ["DispatchedJob", "Dispatches", "QueueLoad", "UnclaimedJob", "Window"]

_SAMPLE = 500
_CIRCLE = 64
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
    """What went out, whether more may be due than there was room for, and the tenant whose turn was last."""

    jobs: list[DispatchedJob]
    more: bool
    last: UUID


async def dispatch(
    leadership: Leadership,
    queue: str,
    window: Window,
    *,
    after: UUID = NIL,
    hinted: Collection[UUID] = (),
    hinted_only: bool = False,
) -> Dispatches:
    """Marks due jobs dispatched as far as the window has room; of the hinted tenants, and unless `hinted_only` of all.

    Tenants take turns in a circle; `after` is the one whose turn was last. Raises LeadershipLost.
    """
    now = leadership.clock.now()
    async with leadership.transaction():
        out, due = await rows.queue_now(queue, now, at_most=_SAMPLE)
        room = window.size - out
        if room <= 0 or not due:
            return Dispatches([], bool(due), after)
        tenants = set(hinted)
        seen = after
        if not hinted_only and len(due) < _SAMPLE:
            tenants.update(due)
        elif not hinted_only:  # a backlog: as many tenants as could fill the room, and the next ones the next time
            circle = await rows.tenants_in_turn(queue, after=after, at_most=max(_CIRCLE, 2 * room))
            seen = circle[-1] if circle else after
            tenants.update(circle)
        jobs = await rows.dispatch_due(queue, list(tenants), room=room, share=window.share, after=after, now=now)
    last = jobs[-1].tenant_id if len(jobs) == room else seen
    return Dispatches(jobs, len(due) > len(jobs), last)


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
