"""Writing live events inside the transaction that made them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.transaction import current


async def insert_events(
    rows: list[tuple[UUID, str, UUID | None, str, UUID, int, dict[str, Any]]], at: datetime
) -> None:
    """Rows of (id, topic, workspace, object type, object id, version, payload), in one statement, in order."""
    await current().execute(
        """
        INSERT INTO live_events (tenant_id, id, topic, workspace_id, object_type, object_id, version, payload, created_at)
        SELECT $1, new.id, new.topic, new.workspace_id, new.object_type, new.object_id, new.version, new.payload, $2
        FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::uuid[], $8::int[], $9::jsonb[])
          AS new (id, topic, workspace_id, object_type, object_id, version, payload)
        """,
        current().tenant_id,
        at,
        *(list(column) for column in zip(*rows, strict=True)),
    )
