"""Enqueueing: no commit, no job; commit, a job for certain. Redis hears of it after the commit, as a hint."""

from datetime import datetime

from app.core.caller import Caller
from app.core.ids import new_id
from app.jobs.job import Job, spec_of, to_payload
from db.core.transaction import current
from db.queries.jobs import outbox


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
        hint_after_commit(caller, spec.queue)


def hint_after_commit(caller: Caller, queue: str) -> None:
    """Tells the relay, once this transaction is committed, that the tenant has something due in the queue."""
    hint = f"{queue} {current().tenant_id}"

    async def give() -> None:
        caller.resources.hints.give(hint)

    current().after_commit(give)
