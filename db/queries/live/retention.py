"""Live events leave the table; the head remembers up to where, so that an old cursor is told so."""

from datetime import datetime

from db.core.transaction import current


async def delete_events(before: datetime, *, limit: int) -> int:
    """Removes at most `limit` of the oldest events, those made before the moment, and moves expired_position.

    Only a run of positions from the oldest on leaves, so that what is left stays without a gap.
    """
    removed: int = await current().fetchval(
        """
        WITH oldest AS MATERIALIZED (
          SELECT id, position, created_at FROM live_events
          WHERE tenant_id = $1 AND position IS NOT NULL ORDER BY position LIMIT $3),
        kept AS (SELECT min(position) AS first FROM oldest WHERE created_at >= $2),
        gone AS (
          DELETE FROM live_events e USING oldest o, kept k
          WHERE e.tenant_id = $1 AND e.id = o.id AND (k.first IS NULL OR o.position < k.first)
          RETURNING e.position),
        moved AS (
          UPDATE live_heads SET expired_position = (SELECT max(position) FROM gone)
          WHERE tenant_id = $1 AND EXISTS (SELECT 1 FROM gone) RETURNING 1)
        SELECT count(*) FROM gone
        """,
        current().tenant_id,
        before,
        limit,
    )
    return removed
