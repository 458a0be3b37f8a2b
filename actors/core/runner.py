"""Runs one job: claim, handle, record. The lease is kept alive meanwhile; a run that lost it can record nothing."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

import structlog

from actors.core.batches import TenantBatches
from actors.core.handler import Handlers
from actors.core.metrics import WorkerMetrics
from app.core.caller import job_caller
from app.core.resources import Resources
from app.jobs import running
from app.jobs.job import from_payload, spec_of
from app.jobs.rules.retrying import Outcome, outcome_of_failure, retry_delay_seconds
from app.jobs.running import ClaimedJob, RunResult
from app.jobs.states import JobState

_DEFAULT_DELAY_SECONDS, _DEFAULT_CAP_SECONDS = 5.0, 300.0
_FIRST_RECORD_PAUSE = 0.1

_log = structlog.get_logger(__name__)


class _Stop(Enum):
    LEASE_LOST = "lease_lost"
    DRAIN = "drain"


@dataclass(eq=False, slots=True)
class _Run:
    job: ClaimedJob
    work: asyncio.Task[None] | None = None  # while the handler runs
    stopped: _Stop | None = None
    started_at: float = field(default_factory=time.monotonic)

    def stop(self, why: _Stop) -> None:
        if self.work is not None and self.stopped is None:
            self.stopped = why
            self.work.cancel()


class JobRunner:
    """Of one worker process, on its event loop."""

    def __init__(self, resources: Resources, handlers: Handlers, *, worker: str, metrics: WorkerMetrics) -> None:
        self._resources = resources
        self._handlers = handlers
        self._worker = worker
        self._metrics = metrics
        self._runs: set[_Run] = set()
        self._batches: TenantBatches[UUID | RunResult, ClaimedJob | bool | None] = TenantBatches(self._ask_all)

    async def run(self, tenant_id: UUID, job_id: UUID) -> None:
        """Does the job when it is still to be done. Raises what the database raises while it cannot be claimed."""
        job = await self._batches.ask(tenant_id, job_id)
        if not isinstance(job, ClaimedJob):
            return  # claimed by another: a message may be sent twice, a job is claimed once
        if job.state == JobState.DEAD:
            _log.error("job_dead", job=str(job.id), kind=job.kind, tenant=str(tenant_id), error="worker lost")
            self._metrics.ended(job.queue, JobState.DEAD, 0.0)
            return
        run = _Run(job)
        self._runs.add(run)
        structlog.contextvars.bind_contextvars(tenant=str(tenant_id), job=str(job.id), kind=job.kind)  # of this task
        try:
            await self._finish(run, await self._outcome(run))
        finally:
            self._runs.discard(run)

    def give_back_all(self) -> None:
        """Stops what still runs; it waits again at once, its attempt not counted."""
        for run in self._runs:
            run.stop(_Stop.DRAIN)

    async def keep_leases(self) -> None:
        """Until cancelled: extends the leases of what runs, and stops what has lost its own."""
        while True:
            await asyncio.sleep(self._resources.settings.job_lease_seconds / 3)
            by_tenant: dict[UUID, list[_Run]] = {}
            for run in self._runs:
                by_tenant.setdefault(run.job.tenant_id, []).append(run)
            for tenant_id, runs in by_tenant.items():
                try:
                    await self._extend(tenant_id, runs)
                except Exception as error:  # noqa: BLE001  # the lease outlives two failures; the fence guards the rest
                    _log.warning("leases_not_extended", tenant=str(tenant_id), error=str(error))

    async def _extend(self, tenant_id: UUID, runs: list[_Run]) -> None:
        ours = await running.extend(self._resources, tenant_id, [(run.job.id, run.job.fence) for run in runs])
        for run in runs:
            if run.job.id not in ours and run.work is not None:
                run.stop(_Stop.LEASE_LOST)

    async def _ask_all(self, tenant_id: UUID, items: Sequence[UUID | RunResult]) -> Sequence[ClaimedJob | bool | None]:
        """A claim for each id, whether it was recorded for each result: all in one transaction."""
        ids = list(dict.fromkeys(item for item in items if isinstance(item, UUID)))
        results = [item for item in items if isinstance(item, RunResult)]
        claimed, recorded = await running.claim_and_record(
            self._resources, tenant_id, ids=ids, results=results, worker=self._worker
        )
        return [item.job_id in recorded if isinstance(item, RunResult) else claimed.pop(item, None) for item in items]

    async def _outcome(self, run: _Run) -> Outcome:
        run.work = asyncio.current_task()
        try:
            await self._handle(run.job)
        except asyncio.CancelledError:
            if run.stopped is None or run.work is None:
                raise
            run.work.uncancel()
            return Outcome(JobState.RETRY_SCHEDULED, due_at=self._resources.clock.now(), error="The worker stopped.")
        except Exception as error:  # noqa: BLE001  # every failure of a handler ends in a state of its job
            return self._failed(run.job, error)
        finally:
            run.work = None  # what follows is the recording, which nobody stops
        return Outcome(JobState.COMPLETED)

    async def _handle(self, job: ClaimedJob) -> None:
        handled = self._handlers.of(job.kind)
        caller = job_caller(self._resources, job.tenant_id, job.request_id)
        async with asyncio.timeout(job.timeout_seconds):
            await handled.run(caller, from_payload(handled.kind, job.payload))

    def _failed(self, job: ClaimedJob, error: Exception) -> Outcome:
        try:
            spec = spec_of(self._handlers.of(job.kind).kind)
            base, cap = spec.retry_delay_seconds, spec.retry_cap_seconds
        except LookupError:
            base, cap = _DEFAULT_DELAY_SECONDS, _DEFAULT_CAP_SECONDS
        jitter = random.random()  # noqa: S311  # spreads retries, guards nothing
        outcome = outcome_of_failure(
            error,
            attempts_left=job.max_attempts - job.attempt,
            delay_seconds=retry_delay_seconds(job.attempt, base_seconds=base, cap_seconds=cap, jitter=jitter),
            now=self._resources.clock.now(),
        )
        _log.warning("job_failed", outcome=outcome.state, attempt=job.attempt, error=outcome.error, exc_info=error)
        return outcome

    async def _finish(self, run: _Run, outcome: Outcome) -> None:
        if run.stopped is _Stop.LEASE_LOST:
            _log.warning("job_lease_lost")
            self._metrics.ended(run.job.queue, "lease_lost", time.monotonic() - run.started_at)
            return
        recorded = await self._record(running.result_of(run.job, outcome, counts=run.stopped is None), run.job)
        ended = outcome.state if recorded else "lease_lost"
        if not recorded:
            _log.warning("job_result_refused", outcome=outcome.state)
        self._metrics.ended(run.job.queue, ended, time.monotonic() - run.started_at)

    async def _record(self, result: RunResult, job: ClaimedJob) -> bool:
        """Tries for as long as the lease lasts: the work is done, and a restart of the database should not repeat it."""
        give_up_at = time.monotonic() + self._resources.settings.job_lease_seconds
        pause = _FIRST_RECORD_PAUSE
        while True:
            try:
                return bool(await self._batches.ask(job.tenant_id, result))
            except Exception as error:
                if time.monotonic() + pause > give_up_at:
                    raise
                _log.warning("job_result_not_recorded_yet", error=str(error))
            await asyncio.sleep(pause)
            pause *= 2
