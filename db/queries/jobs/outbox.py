"""Writing jobs inside the transaction that needs them done."""

from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.transaction import current


async def insert_job(  # noqa: PLR0913  # a row as it is
    job_id: UUID,
    *,
    queue: str,
    priority: int,
    kind: str,
    payload: dict[str, Any],
    due_at: datetime,
    max_attempts: int,
    timeout_seconds: int,
    dedupe_key: str | None,
    request_id: str,
    created_at: datetime,
) -> bool:
    """False when a waiting job with the same dedupe key exists; that one is then due at the earlier of both moments."""
    inserted = await current().fetchval(
        """
        INSERT INTO jobs AS waiting (tenant_id, id, queue, priority, kind, payload, state, due_at, fence, attempt,
                                     max_attempts, timeout_seconds, dedupe_key, request_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, 0, 0, $8, $9, $10, $11, $12)
        ON CONFLICT (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'retry_scheduled')
        DO UPDATE SET due_at = LEAST(waiting.due_at, EXCLUDED.due_at)
        RETURNING id = $2
        """,
        current().tenant_id,
        job_id,
        queue,
        priority,
        kind,
        payload,
        due_at,
        max_attempts,
        timeout_seconds,
        dedupe_key,
        request_id,
        created_at,
    )
    return bool(inserted)
