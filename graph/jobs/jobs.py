"""Jobs in the public schema: what waits, what runs, and what died and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.jobs import browsing as use
from app.jobs.browsing import JobQueue as JobQueueRow
from app.jobs.browsing import JobRow
from app.jobs.states import JobState
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query

describe_enum(
    JobState,
    "Where a job stands.",
    {
        JobState.QUEUED: "It waits for its moment, or for its turn.",
        JobState.DISPATCHED: "It is on its way to a worker.",
        JobState.RUNNING: "A worker does it.",
        JobState.COMPLETED: "It is done.",
        JobState.RETRY_SCHEDULED: "It failed, and will be tried again.",
        JobState.DEAD: "It failed for good; a person may have it tried again.",
    },
)


# ---- types
@strawberry.type(description="A piece of durable work.")
class Job(Node):
    kind: str = strawberry.field(description="What it does, such as `campaign.plan`.")
    queue: str = strawberry.field(description="The queue that it waits in.")
    state: JobState = strawberry.field(description="Where it stands.")
    priority: int = strawberry.field(description="0 to 3; lower is sooner.")
    attempt: int = strawberry.field(description="How often it was tried.")
    max_attempts: int = strawberry.field(description="How often it is tried at most.")
    error: str | None = strawberry.field(description="Why the last attempt failed.")
    due_at: datetime | None = strawberry.field(description="When it may run, while it waits.")
    request_id: str = strawberry.field(description="The request that asked for it, as in the logs.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it was done, or died.")

    @staticmethod
    def of(row: JobRow) -> "Job":
        return Job(
            id=global_id("Job", row.id),
            kind=row.kind,
            queue=row.queue,
            state=JobState(row.state),
            priority=row.priority,
            attempt=row.attempt,
            max_attempts=row.max_attempts,
            error=row.error,
            due_at=row.due_at,
            request_id=row.request_id,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Job | None]":
        rows = await use.jobs_by_ids(context.caller, ids)
        return [Job.of(row) if row else None for row in rows]


@strawberry.type(description="A queue, as far as it holds jobs of this tenant that are not completed.")
class JobQueue:
    name: str = strawberry.field(description="The queue's name.")
    depth: int = strawberry.field(description="Jobs that are due and not running yet.")
    scheduled: int = strawberry.field(description="Jobs that are due later.")
    running: int = strawberry.field(description="Jobs that workers do now.")
    dead: int = strawberry.field(description="Jobs that failed for good.")
    oldest_age_seconds: float = strawberry.field(description="For how long the oldest due job has waited.")

    @staticmethod
    def of(row: JobQueueRow) -> "JobQueue":
        return JobQueue(
            name=row.name,
            depth=row.depth,
            scheduled=row.scheduled,
            running=row.running,
            dead=row.dead,
            oldest_age_seconds=row.oldest_age_seconds,
        )


# ---- inputs
@strawberry.input(description="What retryDeadJob needs.")
class RetryDeadJobInput(IdempotentInput):
    job_id: strawberry.ID = strawberry.field(description="The dead job.")


# ---- payloads
@strawberry.type(description="The answer of retryDeadJob.")
class RetryDeadJobPayload(Payload):
    job: Job | None = strawberry.field(default=None, description="The job, which waits again.")


# ---- queries
@strawberry.type
class JobQueries:
    @query(uses=use.jobs, description="The tenant's jobs, newest first; finished ones for seven days.")
    async def jobs(
        self,
        info: Info,
        state: Annotated[JobState | None, strawberry.argument(description="Only jobs that stand there.")] = None,
        queue: Annotated[str | None, strawberry.argument(description="Only jobs of this queue.")] = None,
        first: First = 25,
        after: After = None,
    ) -> Connection[Job]:
        page = window(first, after)
        rows = await use.jobs(info.context.caller, state=state, queue=queue, first=page.first, after=page.after)
        return connection(rows, Job.of)

    @query(
        uses=use.job_queues,
        description="The queues that hold jobs of this tenant, by name.",
        bounded_by="the product has a handful of queues",
    )
    async def job_queues(self, info: Info) -> list[JobQueue]:
        return [JobQueue.of(row) for row in await use.job_queues(info.context.caller)]


# ---- mutations
@strawberry.type
class JobMutations:
    @mutation(uses=use.retry_dead_job, description="Has a dead job tried again, with all its attempts.")
    async def retry_dead_job(
        self, info: Info, input: Annotated[RetryDeadJobInput, strawberry.argument(description="Which job.")]
    ) -> RetryDeadJobPayload:
        row = await use.retry_dead_job(info.context.caller, local_id(input.job_id, "Job"))
        return RetryDeadJobPayload(job=Job.of(row))
