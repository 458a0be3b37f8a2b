"""Idempotency keys: claimed once, marked with the effect, answered again for a day."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.rows import columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class IdempotencyAnswer:
    id: UUID
    tenant_id: UUID
    actor: str
    operation: str
    key: str
    input_hash: bytes
    state: str
    fence: UUID
    lease_until: datetime
    answer: dict[str, Any] | None
    created_at: datetime


async def insert_claim(claim: IdempotencyAnswer) -> bool:
    """Whether the key was free. Waits for a transaction that is claiming the same key at this moment."""
    status = await current().execute(
        """
        INSERT INTO idempotency_answers
          (tenant_id, id, actor, operation, key, input_hash, state, fence, lease_until, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (tenant_id, actor, operation, key) DO NOTHING
        """,
        current().tenant_id,
        claim.id,
        claim.actor,
        claim.operation,
        claim.key,
        claim.input_hash,
        claim.state,
        claim.fence,
        claim.lease_until,
        claim.created_at,
    )
    return status == "INSERT 0 1"


async def lock_answer(actor: str, operation: str, key: str) -> IdempotencyAnswer | None:
    """The row of a key, locked until the transaction ends."""
    return await one_row(
        IdempotencyAnswer,
        f"""
        SELECT {columns(IdempotencyAnswer)} FROM idempotency_answers
        WHERE tenant_id = $1 AND actor = $2 AND operation = $3 AND key = $4
        FOR UPDATE
        """,
        current().tenant_id,
        actor,
        operation,
        key,
    )


async def take_over(claim: IdempotencyAnswer) -> None:
    """A locked row starts anew under another fence: whoever held it before can commit nothing any more."""
    await current().execute(
        """
        UPDATE idempotency_answers
        SET state = 'in_flight', answer = NULL, input_hash = $3, fence = $4, lease_until = $5, created_at = $6
        WHERE tenant_id = $1 AND id = $2
        """,
        current().tenant_id,
        claim.id,
        claim.input_hash,
        claim.fence,
        claim.lease_until,
        claim.created_at,
    )


async def mark_committed(claim_id: UUID, fence: UUID) -> bool:
    """Whether the claim is still held: the caller's effect may be committed together with this mark."""
    status = await current().execute(
        """
        UPDATE idempotency_answers SET state = 'committed'
        WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state IN ('in_flight', 'committed')
        """,
        current().tenant_id,
        claim_id,
        fence,
    )
    return status == "UPDATE 1"


async def store_answer(claim_id: UUID, fence: UUID, answer: dict[str, Any]) -> None:
    await current().execute(
        """
        UPDATE idempotency_answers SET state = 'answered', answer = $4
        WHERE tenant_id = $1 AND id = $2 AND fence = $3
        """,
        current().tenant_id,
        claim_id,
        fence,
        answer,
    )


async def release_claim(claim_id: UUID, fence: UUID) -> None:
    """Frees the key of a call that failed before it changed anything."""
    await current().execute(
        "DELETE FROM idempotency_answers WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'in_flight'",
        current().tenant_id,
        claim_id,
        fence,
    )


async def delete_older_answers(created_before: datetime, limit: int) -> None:
    """Removes up to `limit` answers of the tenant that nobody may ask for any more; skips locked ones.

    ARRAY(...) runs once; as `IN (... LIMIT n FOR UPDATE)` the planner may run it per row and delete them all.
    """
    await current().execute(
        """
        DELETE FROM idempotency_answers
        WHERE tenant_id = $1 AND id = ANY (ARRAY(
          SELECT id FROM idempotency_answers WHERE tenant_id = $1 AND created_at < $2
          ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED
        ))
        """,
        current().tenant_id,
        created_before,
        limit,
    )
