"""Positions of live events: per tenant, increasing and without a gap. Run as the system role, by the leader alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.rows import all_rows

# The heads are locked in the order of their tenants; ids are UUIDv7, so an event's turn follows the moment it was made.
# The campaign is written here and not where events are recorded: an event without a position is read by nobody.
_NUMBER = """
WITH fresh AS MATERIALIZED (
  SELECT tenant_id, id FROM live_events WHERE position IS NULL ORDER BY id LIMIT $1),
ranked AS (SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id ORDER BY id) AS turn FROM fresh),
n AS (SELECT tenant_id, count(*) AS n FROM fresh GROUP BY tenant_id),
heads AS (
  INSERT INTO live_heads AS h (tenant_id, last_position) SELECT tenant_id, n FROM n ORDER BY tenant_id
  ON CONFLICT (tenant_id) DO UPDATE SET last_position = h.last_position + EXCLUDED.last_position
  RETURNING h.tenant_id, h.last_position)
UPDATE live_events e SET position = heads.last_position - n.n + ranked.turn,
  campaign_id = CASE WHEN e.object_type = 'Campaign' THEN e.object_id ELSE (e.payload ->> 'campaign_id')::uuid END
FROM ranked JOIN heads USING (tenant_id) JOIN n USING (tenant_id)
WHERE e.tenant_id = ranked.tenant_id AND e.id = ranked.id
RETURNING e.tenant_id, e.position, e.id, e.topic, e.workspace_id, e.object_type, e.object_id, e.version, e.payload,
  e.created_at
"""


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    tenant_id: UUID
    position: int
    id: UUID
    topic: str
    workspace_id: UUID | None
    object_type: str
    object_id: UUID
    version: int
    payload: dict[str, Any]
    created_at: datetime


async def number_fresh(limit: int) -> list[NumberedEvent]:
    """Gives at most `limit` new events their positions; by tenant and position."""
    rows = await all_rows(NumberedEvent, _NUMBER, limit)
    return sorted(rows, key=lambda row: (row.tenant_id, row.position))
