"""Which waiting jobs go out next: due, by priority, in turns between tenants. Run as the system role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import all_rows
from db.core.transaction import current

NIL = UUID(int=0)
_WAITING = "state IN ('queued', 'retry_scheduled')"

# A loose index scan: the next tenants that wait after $2, up to $3 of them, whatever they have waiting.
_CIRCLE = f"""
WITH RECURSIVE ahead AS (
  (SELECT tenant_id, 1 AS n FROM jobs WHERE queue = $1 AND {_WAITING} AND tenant_id > $2 ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT j.tenant_id FROM jobs j WHERE j.queue = $1 AND j.{_WAITING} AND j.tenant_id > a.tenant_id
          ORDER BY j.tenant_id LIMIT 1), a.n + 1
  FROM ahead a WHERE a.tenant_id IS NOT NULL AND a.n < $3)
SELECT tenant_id FROM ahead WHERE tenant_id IS NOT NULL ORDER BY tenant_id
"""

# The first few of each named tenant per priority, then their turns. A tenant's turn starts behind what it has out
# already, and ends at its share of the window. Among equal turns the tenants take theirs in a circle that begins after
# $5: by age, a few old backlogs would starve all others. The rows are locked by LATERAL: a join may be planned as a scan
# over everything that waits (25 ms against 1).
_PICK = f"""
WITH held AS MATERIALIZED (
  SELECT tenant_id, count(*) AS n FROM jobs WHERE queue = $1 AND state = 'dispatched' GROUP BY tenant_id),
ranked AS (
  SELECT j.tenant_id, j.id, j.priority, j.due_at,
    row_number() OVER (PARTITION BY j.tenant_id ORDER BY j.priority, j.due_at) + coalesce(h.n, 0) AS turn
  FROM unnest($6::uuid[]) AS w (tenant_id)
  CROSS JOIN generate_series(0, 3) AS p (priority)
  CROSS JOIN LATERAL (
    SELECT tenant_id, id, priority, due_at FROM jobs
    WHERE queue = $1 AND {_WAITING} AND tenant_id = w.tenant_id AND priority = p.priority AND due_at <= $4
    ORDER BY due_at LIMIT $7) j
  LEFT JOIN held h ON h.tenant_id = j.tenant_id),
picked AS (
  SELECT tenant_id, id, turn FROM ranked WHERE turn <= $3
  ORDER BY priority, turn, tenant_id <= $5, tenant_id LIMIT $2),
locked AS (
  SELECT k.tenant_id, k.id, k.turn FROM picked k
  CROSS JOIN LATERAL (
    SELECT 1 FROM jobs WHERE tenant_id = k.tenant_id AND id = k.id AND {_WAITING} FOR UPDATE SKIP LOCKED) AS own)
UPDATE jobs j SET state = 'dispatched', due_at = NULL, dispatched_at = $4
FROM locked l WHERE j.tenant_id = l.tenant_id AND j.id = l.id
RETURNING j.tenant_id, j.id, j.priority, l.turn
"""


@dataclass(frozen=True, slots=True)
class DispatchedJob:
    """`turn`: its place among its tenant's jobs in the window; at the share, the tenant may have more waiting."""

    tenant_id: UUID
    id: UUID
    priority: int
    turn: int


async def queue_now(queue: str, now: datetime, *, at_most: int) -> tuple[int, list[UUID]]:
    """How many jobs are out and not yet claimed; and the tenants of the first `at_most` due jobs, one entry per job."""
    row = await current().fetchrow(
        f"""
        SELECT (SELECT count(*) FROM jobs WHERE queue = $1 AND state = 'dispatched') AS out,
          ARRAY (SELECT tenant_id FROM jobs WHERE queue = $1 AND {_WAITING} AND due_at <= $2
                 ORDER BY due_at LIMIT $3) AS due
        """,
        queue,
        now,
        at_most,
    )
    assert row is not None
    return row["out"], row["due"]


async def tenants_in_turn(queue: str, *, after: UUID, at_most: int) -> list[UUID]:
    """The next tenants that wait, in a circle that begins after `after`; of any due moment."""
    ahead = [row["tenant_id"] for row in await current().fetch(_CIRCLE, queue, after, at_most)]
    if len(ahead) == at_most:
        return ahead
    around = [row["tenant_id"] for row in await current().fetch(_CIRCLE, queue, NIL, at_most - len(ahead))]
    return ahead + [tenant for tenant in around if tenant <= after]


async def dispatch_due(
    queue: str, tenants: Sequence[UUID], *, room: int, share: int, after: UUID, now: datetime
) -> list[DispatchedJob]:
    """Moves at most `room` due jobs of the tenants to dispatched, at most `share` of one of them counting what it has
    out; tenants take turns, beginning with the one that follows `after`. In the order in which they shall run."""
    looked_at = max(1, min(share, -(-2 * room // max(1, len(tenants)))))
    rows = await all_rows(DispatchedJob, _PICK, queue, room, share, now, after, list(tenants), looked_at)
    return sorted(rows, key=lambda row: (row.priority, row.turn, row.tenant_id <= after, row.tenant_id))


@dataclass(frozen=True, slots=True)
class UnclaimedJob:
    tenant_id: UUID
    id: UUID
    queue: str
    priority: int
    dispatched_at: datetime


async def unclaimed_since(before: datetime, *, limit: int) -> list[UnclaimedJob]:
    """Jobs that were dispatched before the moment and that no worker has claimed."""
    return await all_rows(
        UnclaimedJob,
        """
        SELECT tenant_id, id, queue, priority, dispatched_at FROM jobs
        WHERE state = 'dispatched' AND dispatched_at < $1 ORDER BY dispatched_at LIMIT $2
        """,
        before,
        limit,
    )


async def dispatch_again(jobs: Sequence[UnclaimedJob], now: datetime) -> list[UnclaimedJob]:
    """Renews the moment of dispatch of those that are still unclaimed and returns them."""
    rows = await current().fetch(
        """
        UPDATE jobs j SET dispatched_at = $3
        FROM unnest($1::uuid[], $2::uuid[]) AS stale (tenant_id, id)
        WHERE j.tenant_id = ANY($1) AND j.id = ANY($2) AND j.tenant_id = stale.tenant_id AND j.id = stale.id
          AND j.state = 'dispatched'
        RETURNING j.id
        """,
        [job.tenant_id for job in jobs],
        [job.id for job in jobs],
        now,
    )
    still = {row["id"] for row in rows}
    return [job for job in jobs if job.id in still]


async def reschedule_lost(now: datetime, *, limit: int) -> int:
    """Running jobs whose lease has ended wait again, due at once. The claim counts attempts and ends them."""
    status = await current().execute(
        """
        UPDATE jobs j SET state = 'retry_scheduled', due_at = $1, lease_until = NULL, dispatched_at = NULL
        FROM (SELECT tenant_id, id FROM jobs WHERE state = 'running' AND lease_until < $1
              LIMIT $2 FOR UPDATE SKIP LOCKED) AS lost
        WHERE j.tenant_id = lost.tenant_id AND j.id = lost.id AND j.state = 'running'
        """,
        now,
        limit,
    )
    return int(status.rpartition(" ")[2])


@dataclass(frozen=True, slots=True)
class QueueLoad:
    queue: str
    state: str
    jobs: int


async def queue_loads() -> list[QueueLoad]:
    """Open jobs by queue and state, over all tenants, for the operator's metrics. Waiting ones are counted to 10,000."""
    return await all_rows(
        QueueLoad,
        f"""
        SELECT queue, state, count(*) FROM (
          (SELECT queue, state FROM jobs WHERE {_WAITING} LIMIT 10000)
          UNION ALL (SELECT queue, state FROM jobs WHERE state IN ('dispatched', 'running') LIMIT 10000)
        ) AS open GROUP BY queue, state ORDER BY queue, state
        """,
    )


async def oldest_due_at(queues: Sequence[str], now: datetime) -> datetime | None:
    """Since when the most delayed job of any of the queues has been due."""
    oldest: datetime | None = await current().fetchval(
        f"""
        SELECT min(first.due_at) FROM unnest($1::text[]) AS q (name) CROSS JOIN LATERAL (
          SELECT due_at FROM jobs WHERE queue = q.name AND {_WAITING} AND due_at <= $2 ORDER BY due_at LIMIT 1) AS first
        """,
        list(queues),
        now,
    )
    return oldest
