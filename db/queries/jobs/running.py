"""Claiming and recording runs: many jobs of one tenant in one statement, each guarded by its fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.rows import all_rows, columns
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """`state` is running, or dead when its attempts had run out without an answer."""

    tenant_id: UUID
    id: UUID
    queue: str
    kind: str
    payload: dict[str, Any]
    state: str
    fence: int
    attempt: int
    max_attempts: int
    timeout_seconds: int
    request_id: str


async def claim(ids: Sequence[UUID], *, worker: str, lease_until: datetime, now: datetime) -> list[ClaimedJob]:
    """Those of `ids` that were dispatched and are ours now; the others were claimed before, or are gone.

    The dedupe key ends here: it is for jobs that wait, and another one may wait under it when this one has to go back.
    """
    return await all_rows(
        ClaimedJob,
        f"""
        UPDATE jobs j SET
          state = CASE WHEN attempt < max_attempts THEN 'running' ELSE 'dead' END,
          attempt = CASE WHEN attempt < max_attempts THEN attempt + 1 ELSE attempt END,
          lease_until = CASE WHEN attempt < max_attempts THEN $4::timestamptz END,
          finished_at = CASE WHEN attempt < max_attempts THEN NULL ELSE $5::timestamptz END,
          error = CASE WHEN attempt < max_attempts THEN error
                  ELSE coalesce(error, 'The worker was lost on every attempt.') END,
          dispatched_at = NULL, dedupe_key = NULL, fence = fence + 1, worker = $3
        WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND state = 'dispatched'
        RETURNING {columns(ClaimedJob, "j")}
        """,
        current().tenant_id,
        list(ids),
        worker,
        lease_until,
        now,
    )


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: completed, dead, or retry_scheduled with `due_at`. `attempt` as it shall count."""

    job_id: UUID
    fence: int
    state: str
    attempt: int
    due_at: datetime | None
    error: str | None


async def record_results(results: Sequence[RunResult], now: datetime) -> set[UUID]:
    """Ids of the runs that were recorded; the others had lost their lease to a later fence."""
    rows = await current().fetch(
        """
        UPDATE jobs j SET state = r.state, attempt = r.attempt, due_at = r.due_at, error = r.error, lease_until = NULL,
          finished_at = CASE WHEN r.due_at IS NULL THEN $8::timestamptz END
        FROM unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::timestamptz[], $7::text[])
          AS r (id, fence, state, attempt, due_at, error)
        WHERE j.tenant_id = $1 AND j.id = ANY($2) AND j.id = r.id AND j.fence = r.fence AND j.state = 'running'
        RETURNING j.id
        """,
        current().tenant_id,
        [each.job_id for each in results],
        [each.fence for each in results],
        [each.state for each in results],
        [each.attempt for each in results],
        [each.due_at for each in results],
        [each.error for each in results],
        now,
    )
    return {row["id"] for row in rows}


async def extend_leases(runs: Sequence[tuple[UUID, int]], lease_until: datetime) -> set[UUID]:
    """Ids of the (id, fence) runs that are still ours, now with a later end of lease."""
    rows = await current().fetch(
        """
        UPDATE jobs j SET lease_until = $4
        FROM unnest($2::uuid[], $3::int[]) AS r (id, fence)
        WHERE j.tenant_id = $1 AND j.id = ANY($2) AND j.id = r.id AND j.fence = r.fence AND j.state = 'running'
        RETURNING j.id
        """,
        current().tenant_id,
        [job_id for job_id, _ in runs],
        [fence for _, fence in runs],
        lease_until,
    )
    return {row["id"] for row in rows}
