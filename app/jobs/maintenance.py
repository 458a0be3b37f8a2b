"""A tenant's daily clean-up: planted once with the tenant, a job that plants its next day first and then removes.

The system role may not delete tenants' rows; so what expires is removed by the tenant's own job.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.core.caller import Caller
from app.jobs.job import Job, Priority, job
from app.jobs.outbox import enqueue
from db.queries.jobs import retention

EVERY = timedelta(days=1)
FINISHED_JOBS_KEPT = timedelta(days=7)
_BATCH = 1000
_DEDUPE_KEY = "tenant.maintain"

_log = structlog.get_logger(__name__)

Cleaner = Callable[[Caller], Awaitable[int]]


@job("tenant.maintain", queue="maintenance", priority=Priority.LOW, attempts=10, timeout_seconds=600)
@dataclass(frozen=True, slots=True)
class MaintainTenant(Job):
    """Removes what has expired."""


@dataclass(frozen=True, slots=True)
class Cleaners:
    """What is removed daily, chosen by wiring. Each removes in short transactions and returns how many rows."""

    each: tuple[Cleaner, ...]


async def plant_maintenance(caller: Caller) -> None:
    """In the transaction that makes a tenant. Safe to repeat: one waits at most."""
    await enqueue(caller, MaintainTenant(), due_at=caller.now() + EVERY, dedupe_key=_DEDUPE_KEY)


async def maintain_tenant(caller: Caller) -> None:
    """Plants tomorrow's run, then cleans; a cleaner that fails fails the job, after the others have had their turn."""
    async with caller.transaction():
        await plant_maintenance(caller)
    failures: list[Exception] = []
    for clean in caller.resources.port(Cleaners).each:
        try:
            removed = await clean(caller)
        except Exception as error:  # noqa: BLE001  # raised below, with the others
            failures.append(error)
            continue
        _log.info("cleaned", cleaner=clean.__name__, tenant=str(caller.tenant_id), removed=removed)
    if failures:
        raise ExceptionGroup("cleaners failed", failures)


async def expire_finished_jobs(caller: Caller) -> int:
    """Completed and dead jobs leave after seven days."""
    before = caller.now() - FINISHED_JOBS_KEPT
    removed = 0
    while True:
        async with caller.transaction():
            count = await retention.delete_finished(before, limit=_BATCH)
        removed += count
        if count < _BATCH:
            return removed
