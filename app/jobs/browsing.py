"""Jobs for the people whose work they are: list them, see the queues, start a dead one again."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.jobs.errors import JobNotDead
from app.jobs.outbox import hint_after_commit
from app.jobs.states import JobState
from db.core.paging import Page
from db.queries.audit import trail
from db.queries.jobs import listing
from db.queries.jobs.listing import JobRow

__all__ = ["JobQueue", "JobRow", "job_queues", "jobs", "jobs_by_ids", "retry_dead_job"]


@dataclass(frozen=True, slots=True)
class JobQueue:
    """`depth`: due and not yet running; `scheduled`: due later; `oldest_age_seconds`: since when the oldest due waits."""

    name: str
    depth: int
    scheduled: int
    running: int
    dead: int
    oldest_age_seconds: float


@requires(Permission.JOBS_READ)
async def jobs(
    caller: Caller, *, state: JobState | None, queue: str | None, first: int, after: UUID | None
) -> Page[JobRow]:
    """Newest first; finished ones for seven days."""
    async with caller.transaction(read_only=True):
        return await listing.jobs_page(state=state, queue=queue, first=first, after=after)


@requires(Permission.JOBS_READ)
async def jobs_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[JobRow | None]:
    """In the order of `ids`; None where there is none."""
    async with caller.transaction(read_only=True):
        found = {row.id: row for row in await listing.jobs_by_ids(ids)}
    return [found.get(each) for each in ids]


@requires(Permission.JOBS_READ)
async def job_queues(caller: Caller) -> list[JobQueue]:
    """The tenant's queues that hold anything that is not completed, by name."""
    now = caller.now()
    async with caller.transaction(read_only=True):
        rows = await listing.queue_rows(now)
    return [
        JobQueue(
            row.name,
            row.depth,
            row.scheduled,
            row.running,
            row.dead,
            0.0 if row.oldest_due_at is None else (now - row.oldest_due_at).total_seconds(),
        )
        for row in rows
    ]


@requires(Permission.JOBS_REPLAY)
async def retry_dead_job(caller: Caller, job_id: UUID) -> JobRow:
    """The dead job waits again with all its attempts, due at once. Raises NotFound, JobNotDead."""
    async with caller.transaction():
        job = await listing.lock_job(job_id)
        if job is None:
            raise NotFound("job", ("input", "jobId"))
        if job.state != JobState.DEAD:
            raise JobNotDead(job.state)
        again = await listing.queue_again(job_id, caller.now())
        await _audit_retry(caller, job)
        hint_after_commit(caller, job.queue)
    return again


async def _audit_retry(caller: Caller, job: JobRow) -> None:
    """app.audit is a sibling, which this package may not import; the entry is the same."""
    await trail.insert_entry(
        new_id(),
        action="job.retry",
        actor=caller.actor,
        target=("Job", job.id),
        details={"kind": job.kind},
        origin=(caller.address, caller.request_id),
        created_at=caller.now(),
    )
