"""Writing the audit trail. The app role may add to it and read it, and change nothing."""

from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.transaction import current


async def insert_entry(
    entry_id: UUID,
    *,
    action: str,
    actor: str,
    target: tuple[str, UUID | None],
    details: dict[str, Any],
    origin: tuple[str, str],
    created_at: datetime,
) -> None:
    """`target` is (object type, object id); `origin` is (address, request id)."""
    await current().execute(
        """
        INSERT INTO audit_log (tenant_id, id, action, actor, object_type, object_id, details, address, request_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        current().tenant_id,
        entry_id,
        action,
        actor,
        *target,
        details,
        *origin,
        created_at,
    )
