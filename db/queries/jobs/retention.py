"""Finished jobs leave the table."""

from datetime import datetime

from db.core.transaction import current


async def delete_finished(before: datetime, *, limit: int) -> int:
    """Removes at most `limit` jobs that ended before the moment. Returns how many."""
    status = await current().execute(
        """
        DELETE FROM jobs WHERE tenant_id = $1 AND id IN (
          SELECT id FROM jobs WHERE tenant_id = $1 AND finished_at < $2 ORDER BY finished_at LIMIT $3)
        """,
        current().tenant_id,
        before,
        limit,
    )
    return int(status.rpartition(" ")[2])
