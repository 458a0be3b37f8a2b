"""After a restore nothing goes on by itself: the ledger is as old as the backup, and who got a mail since is not in it."""

import asyncpg
import orjson

from app.core.ids import new_id
from app.jobs.job import spec_of, to_payload
from app.outreach.jobs import HoldCampaign

_PAUSE = """
UPDATE campaigns SET state = 'paused', paused_at = now(), updated_at = now(), version = version + 1
WHERE state = 'running' RETURNING tenant_id, id
"""
_HOLD = """
INSERT INTO jobs (tenant_id, id, queue, priority, kind, payload, state, due_at, fence, attempt, max_attempts,
                  timeout_seconds, dedupe_key, request_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 'queued', now(), 0, 0, $7, $8, $9, 'restore', now()) ON CONFLICT DO NOTHING
"""


async def pause_restored_campaigns(owner_url: str) -> int:
    """As the owner, over all tenants, what pauseCampaign does for one: pauses, and has what is queued put back.

    Returns how many were running. Raises asyncpg.PostgresError, OSError.
    """
    spec = spec_of(HoldCampaign)
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            paused = await connection.fetch(_PAUSE)
            for row in paused:
                payload = orjson.dumps(to_payload(HoldCampaign(row["id"]))).decode()
                how = (spec.queue, int(spec.priority), spec.name, payload, spec.attempts, spec.timeout_seconds)
                key = f"hold_campaign:{row['id']}"
                await connection.execute(_HOLD, row["tenant_id"], new_id(), *how, key)
    finally:
        await connection.close()
    return len(paused)
