"""A run of a job, in two short transactions: claim it under a fence, record how it ended under the same fence."""

from collections.abc import Sequence
from uuid import UUID

from app.core.resources import Resources
from app.jobs.rules.retrying import Outcome
from db.core.transaction import tenant_transaction
from db.queries.jobs import running as rows
from db.queries.jobs.running import ClaimedJob, RunResult

__all__ = ["ClaimedJob", "RunResult", "claim", "extend", "record", "result_of"]


async def claim(resources: Resources, tenant_id: UUID, ids: Sequence[UUID], *, worker: str) -> dict[UUID, ClaimedJob]:
    """Those of `ids` that are this worker's now; one that was claimed before, or was replaced, is missing."""
    lease_until = resources.clock.after(resources.settings.job_lease_seconds)
    async with tenant_transaction(tenant_id):
        claimed = await rows.claim(ids, worker=worker, lease_until=lease_until, now=resources.clock.now())
    return {job.id: job for job in claimed}


async def record(resources: Resources, tenant_id: UUID, results: Sequence[RunResult]) -> set[UUID]:
    """Ids of those that were recorded; a missing one had lost its lease, and nothing of it was written."""
    async with tenant_transaction(tenant_id):
        return await rows.record_results(results, resources.clock.now())


async def extend(resources: Resources, tenant_id: UUID, runs: Sequence[tuple[UUID, int]]) -> set[UUID]:
    """Keeps the leases of (job id, fence) alive. Ids of those that are still ours."""
    lease_until = resources.clock.after(resources.settings.job_lease_seconds)
    async with tenant_transaction(tenant_id):
        return await rows.extend_leases(runs, lease_until)


def result_of(job: ClaimedJob, outcome: Outcome, *, counts: bool = True) -> RunResult:
    """`counts=False` gives the attempt back: the run was stopped from outside and had no fair chance."""
    return RunResult(
        job_id=job.id,
        fence=job.fence,
        state=outcome.state,
        attempt=job.attempt if counts else job.attempt - 1,
        due_at=outcome.due_at,
        error=outcome.error,
    )
