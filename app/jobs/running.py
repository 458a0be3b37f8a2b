"""A run of a job, in two short transactions: claim it under a fence, record how it ended under the same fence."""

from collections.abc import Sequence
from uuid import UUID

from app.core.resources import Resources
from app.jobs.rules.retrying import Outcome
from db.core.transaction import tenant_transaction
from db.queries.jobs import running as rows
from db.queries.jobs.running import ClaimedJob, RunResult

__all__ = ["ClaimedJob", "RunResult", "claim", "claim_and_record", "extend", "record", "result_of"]


async def claim_and_record(
    resources: Resources, tenant_id: UUID, *, ids: Sequence[UUID], results: Sequence[RunResult], worker: str
) -> tuple[dict[UUID, ClaimedJob], set[UUID]]:
    """In one transaction: the jobs of `ids` that are this worker's now (one that was claimed before is missing), and the
    ids of the results that were recorded (one that had lost its lease is missing, and nothing of it was written)."""
    now = resources.clock.now()
    lease_until = resources.clock.after(resources.settings.job_lease_seconds)
    async with tenant_transaction(tenant_id):
        recorded = await rows.record_results(results, now) if results else set()
        claimed = await rows.claim(ids, worker=worker, lease_until=lease_until, now=now) if ids else []
    return {job.id: job for job in claimed}, recorded


async def claim(resources: Resources, tenant_id: UUID, ids: Sequence[UUID], *, worker: str) -> dict[UUID, ClaimedJob]:
    """claim_and_record without results."""
    claimed, _ = await claim_and_record(resources, tenant_id, ids=ids, results=(), worker=worker)
    return claimed


async def record(resources: Resources, tenant_id: UUID, results: Sequence[RunResult]) -> set[UUID]:
    """claim_and_record without ids."""
    _, recorded = await claim_and_record(resources, tenant_id, ids=(), results=results, worker="")
    return recorded


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
