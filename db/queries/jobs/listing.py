"""Jobs as their tenant sees them: what waits, what runs, what died and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class JobRow:
    id: UUID
    tenant_id: UUID
    queue: str
    priority: int
    kind: str
    state: str
    due_at: datetime | None
    attempt: int
    max_attempts: int
    request_id: str
    error: str | None
    created_at: datetime
    finished_at: datetime | None


async def jobs_page(*, state: str | None, queue: str | None, first: int, after: UUID | None) -> Page[JobRow]:
    """Newest first."""
    rows = await all_rows(
        JobRow,
        f"""
        SELECT {columns(JobRow)} FROM jobs
        WHERE tenant_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR queue = $3)
          AND ($4::uuid IS NULL OR id < $4)
        ORDER BY id DESC LIMIT $5
        """,
        current().tenant_id,
        state,
        queue,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def jobs_by_ids(ids: Sequence[UUID]) -> list[JobRow]:
    return await all_rows(
        JobRow,
        f"SELECT {columns(JobRow)} FROM jobs WHERE tenant_id = $1 AND id = ANY($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def lock_job(job_id: UUID) -> JobRow | None:
    return await one_row(
        JobRow,
        f"SELECT {columns(JobRow)} FROM jobs WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        job_id,
    )


async def queue_again(job_id: UUID, due_at: datetime) -> JobRow:
    """A dead job waits anew, with all its attempts; its error stays until it ends again."""
    row = await one_row(
        JobRow,
        f"""
        UPDATE jobs SET state = 'queued', due_at = $3, attempt = 0, finished_at = NULL
        WHERE tenant_id = $1 AND id = $2 AND state = 'dead' RETURNING {columns(JobRow)}
        """,
        current().tenant_id,
        job_id,
        due_at,
    )
    assert row is not None  # locked by lock_job in this transaction
    return row


@dataclass(frozen=True, slots=True)
class QueueRow:
    """`depth` counts what is due and not yet running; `oldest_due_at` is the earliest moment among the waiting due."""

    name: str
    depth: int
    scheduled: int
    running: int
    dead: int
    oldest_due_at: datetime | None


async def queue_rows(now: datetime) -> list[QueueRow]:
    """The tenant's queues that have open jobs or dead ones.

    Three parts, each with its own partial index: asked for by `state <> 'completed'`, PostgreSQL read the finished jobs
    of every tenant as well (88 ms for 200,000 of them).
    """
    return await all_rows(
        QueueRow,
        """
        SELECT queue,
          count(*) FILTER (WHERE state = 'dispatched' OR due_at <= $2),
          count(*) FILTER (WHERE due_at > $2),
          count(*) FILTER (WHERE state = 'running'),
          count(*) FILTER (WHERE state = 'dead'),
          min(due_at) FILTER (WHERE due_at <= $2)
        FROM (SELECT queue, state, due_at FROM jobs WHERE tenant_id = $1 AND state IN ('queued', 'retry_scheduled')
          UNION ALL SELECT queue, state, due_at FROM jobs WHERE tenant_id = $1 AND state IN ('dispatched', 'running')
          UNION ALL SELECT queue, state, due_at FROM jobs WHERE tenant_id = $1 AND state = 'dead') AS open
        GROUP BY queue ORDER BY queue
        """,
        current().tenant_id,
        now,
    )
