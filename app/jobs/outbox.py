"""Enqueueing: no commit, no job; commit, a job for certain. Redis hears of it after the commit, as a hint."""

from datetime import datetime

import structlog
from redis.exceptions import RedisError

from app.core.caller import Caller
from app.core.ids import new_id
from app.jobs.job import Job, spec_of, to_payload
from db.core.transaction import current
from db.queries.jobs import outbox

HINT_CHANNEL = "penguinmails:hints"
_log = structlog.get_logger(__name__)


async def enqueue(caller: Caller, job: Job, *, due_at: datetime | None = None, dedupe_key: str | None = None) -> None:
    """Inserts the job's row into the caller's open transaction.

    A waiting job with the same `dedupe_key` in the tenant stands for both. Raises NoTransaction, PayloadTooLarge.
    """
    spec = spec_of(job)
    now = caller.now()
    await outbox.insert_job(
        new_id(),
        queue=spec.queue,
        priority=int(spec.priority),
        kind=spec.name,
        payload=to_payload(job),
        due_at=due_at or now,
        max_attempts=spec.attempts,
        timeout_seconds=spec.timeout_seconds,
        dedupe_key=dedupe_key,
        request_id=caller.request_id,
        created_at=now,
    )
    if due_at is None or due_at <= now:
        _hint_after_commit(caller, spec.queue)


def _hint_after_commit(caller: Caller, queue: str) -> None:
    tenant_id = current().tenant_id

    async def hint() -> None:
        try:
            await caller.resources.redis.publish(HINT_CHANNEL, f"{queue} {tenant_id}")
        except (RedisError, OSError) as error:
            _log.warning("hint_not_published", queue=queue, error=str(error))

    current().after_commit(hint)
