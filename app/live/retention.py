"""Live events leave after thirty days; a cursor older than that is told so."""

from datetime import timedelta

from app.core.caller import Caller
from db.queries.live import retention

EVENTS_KEPT = timedelta(days=30)
_BATCH = 5000


async def expire_live_events(caller: Caller) -> int:
    """Removes what is older, from the oldest position on. Returns how many; for the tenant's daily maintenance."""
    before = caller.now() - EVENTS_KEPT
    removed = 0
    while True:
        async with caller.transaction():
            count = await retention.delete_events(before, limit=_BATCH)
        removed += count
        if count < _BATCH:
            return removed
