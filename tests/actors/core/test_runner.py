"""One run in this process: claimed, handled, recorded; stopped from outside; and through a database that comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from actors.core.handler import Handlers, handles
from actors.core.metrics import RelayMetrics, WorkerMetrics, serve_metrics
from actors.core.runner import JobRunner
from app.core.caller import Caller, job_caller
from app.core.ids import new_id
from app.core.resources import Resources
from app.embedded.ports import free_port
from app.jobs import running
from app.jobs.dispatching import Window, dispatch
from app.jobs.errors import PermanentFailure
from app.jobs.job import Job, job
from app.jobs.outbox import enqueue
from db.core.transaction import tenant_transaction
from tests.app.jobs.stage import change, lead, rows_of

QUEUE = "runner-tests"


@job("runner.errand", queue=QUEUE, attempts=2, timeout_seconds=30, retry_delay_seconds=10)
@dataclass(frozen=True, slots=True)
class Errand(Job):
    how: str


@job("runner.unknown", queue=QUEUE)
@dataclass(frozen=True, slots=True)
class Unknown(Job):
    pass


class Bench:
    """A runner whose one handler does what its job says, and tells what it saw."""

    def __init__(self, resources: Resources, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self.seen: list[Caller] = []
        self.metrics = WorkerMetrics()
        self.started = asyncio.Event()

        @handles(Errand)
        async def errand(caller: Caller, job: Errand) -> None:
            self.seen.append(caller)
            self.started.set()
            if job.how == "wait":
                await asyncio.sleep(60)
            if job.how == "fail":
                raise RuntimeError("no paper")
            if job.how == "never":
                raise PermanentFailure("It cannot be done.")

        self.runner = JobRunner(resources, Handlers([errand]), worker="bench", metrics=self.metrics)

    async def put(self, resources: Resources, errand: Job) -> UUID:
        caller = job_caller(resources, self.tenant_id, "request-1")
        async with caller.transaction():
            await enqueue(caller, errand)
        out = await dispatch(await lead(resources), QUEUE, Window(100))
        [found] = [each.id for each in out.jobs if each.tenant_id == self.tenant_id]
        return found

    def count(self, outcome: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "penguinmails_job_runs_total", {"queue": QUEUE, "outcome": outcome}
        )
        return value or 0.0

    async def row(self) -> dict[str, Any]:
        [row] = await rows_of(self.tenant_id)
        return row


@pytest.fixture
def bench(resources: Resources) -> Bench:
    return Bench(resources, new_id())


async def test_a_handler_acts_as_a_job_of_its_tenant_and_request(resources: Resources, bench: Bench) -> None:
    await bench.runner.run(bench.tenant_id, await bench.put(resources, Errand("do")))

    [caller] = bench.seen
    row = await bench.row()
    assert (caller.kind, caller.tenant_id, caller.request_id) == ("job", bench.tenant_id, "request-1")
    assert (row["state"], row["worker"], bench.count("completed")) == ("completed", "bench", 1)


async def test_a_message_that_comes_twice_is_handled_once(resources: Resources, bench: Bench) -> None:
    job_id = await bench.put(resources, Errand("do"))

    await asyncio.gather(*(bench.runner.run(bench.tenant_id, job_id) for _ in range(4)))
    await bench.runner.run(bench.tenant_id, job_id)
    await bench.runner.run(new_id(), job_id)

    assert len(bench.seen) == 1


async def test_a_failed_run_waits_with_jitter_and_then_dies(resources: Resources, bench: Bench) -> None:
    job_id = await bench.put(resources, Errand("fail"))
    before = resources.clock.now()
    await bench.runner.run(bench.tenant_id, job_id)
    first = await bench.row()
    await change(bench.tenant_id, "due_at = $2", resources.clock.now())
    await dispatch(await lead(resources), QUEUE, Window(100))

    await bench.runner.run(bench.tenant_id, job_id)

    second = await bench.row()
    assert (first["state"], first["attempt"]) == ("retry_scheduled", 1)
    assert timedelta(seconds=5) <= first["due_at"] - before <= timedelta(seconds=11)
    assert (second["state"], second["attempt"], second["error"]) == ("dead", 2, "RuntimeError: no paper")
    assert (bench.count("retry_scheduled"), bench.count("dead")) == (1, 1)


async def test_what_can_never_succeed_dies_at_once(resources: Resources, bench: Bench) -> None:
    await bench.runner.run(bench.tenant_id, await bench.put(resources, Errand("never")))

    row = await bench.row()
    assert (row["state"], row["attempt"], row["error"]) == ("dead", 1, "It cannot be done.")


async def test_a_job_that_this_worker_does_not_know_waits_for_one_that_does(resources: Resources, bench: Bench) -> None:
    """As in the middle of a deploy."""
    await bench.runner.run(bench.tenant_id, await bench.put(resources, Unknown()))

    row = await bench.row()
    assert (row["state"], row["error"]) == (
        "retry_scheduled",
        "LookupError: this worker has no handler for runner.unknown",
    )


async def test_a_payload_of_another_version_is_a_failure_and_not_a_loss(resources: Resources, bench: Bench) -> None:
    job_id = await bench.put(resources, Errand("do"))
    await change(bench.tenant_id, "payload = $2", {"other": 1})

    await bench.runner.run(bench.tenant_id, job_id)

    row = await bench.row()
    assert row["state"] == "retry_scheduled"
    assert row["error"].startswith("TypeError: ")


async def test_a_run_that_is_given_back_waits_at_once_and_does_not_count(resources: Resources, bench: Bench) -> None:
    job_id = await bench.put(resources, Errand("wait"))
    run = asyncio.create_task(bench.runner.run(bench.tenant_id, job_id))
    await bench.started.wait()

    bench.runner.give_back_all()
    await asyncio.wait_for(run, 5)

    row = await bench.row()
    assert (row["state"], row["attempt"], row["error"]) == ("retry_scheduled", 0, "The worker stopped.")
    assert row["due_at"] <= resources.clock.now()


async def test_a_run_whose_lease_is_lost_is_stopped_and_one_that_keeps_it_is_not(resources: Resources) -> None:
    quick = replace(resources, settings=resources.settings.model_copy(update={"job_lease_seconds": 1.0}))
    loser, keeper = Bench(quick, new_id()), Bench(quick, new_id())
    lost = asyncio.create_task(loser.runner.run(loser.tenant_id, await loser.put(quick, Errand("wait"))))
    kept = asyncio.create_task(keeper.runner.run(keeper.tenant_id, await keeper.put(quick, Errand("wait"))))
    await asyncio.gather(loser.started.wait(), keeper.started.wait())
    async with keeping_leases(loser), keeping_leases(keeper):
        await change(loser.tenant_id, "fence = fence + 1, worker = 'other'")
        await asyncio.wait_for(lost, 5)
        await asyncio.sleep(1.2)  # longer than a lease

        assert not kept.done()
        assert (await keeper.row())["lease_until"] > quick.clock.now()
    keeper.runner.give_back_all()
    await asyncio.wait_for(kept, 5)

    row = await loser.row()
    assert (row["state"], row["worker"], loser.count("lease_lost")) == ("running", "other", 1)


async def test_a_result_is_recorded_when_the_database_is_back(
    resources: Resources, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await bench.put(resources, Errand("do"))
    real, failures = running.claim_and_record, [2]

    async def flaky(*args: Any, results: Any, **named: Any) -> Any:
        if results and failures[0]:
            failures[0] -= 1
            raise ConnectionResetError("the server went away")
        return await real(*args, results=results, **named)

    monkeypatch.setattr(running, "claim_and_record", flaky)
    await bench.runner.run(bench.tenant_id, job_id)

    assert ((await bench.row())["state"], len(bench.seen), failures) == ("completed", 1, [0])


async def test_a_result_that_came_too_late_is_refused_and_said_so(resources: Resources, bench: Bench) -> None:
    job_id = await bench.put(resources, Errand("do"))
    real = bench.runner._handle

    async def meanwhile(job: running.ClaimedJob) -> None:
        await real(job)
        async with tenant_transaction(bench.tenant_id) as transaction:
            await transaction.execute("UPDATE jobs SET fence = fence + 1 WHERE tenant_id = $1", bench.tenant_id)

    bench.runner._handle = meanwhile  # type: ignore[method-assign]
    await bench.runner.run(bench.tenant_id, job_id)

    assert ((await bench.row())["state"], bench.count("lease_lost")) == ("running", 1)


async def test_metrics_are_served_on_loopback_where_a_port_is_set() -> None:
    metrics, port = RelayMetrics(), free_port()
    metrics.leads.set(1)
    server = serve_metrics(metrics.registry, port)
    assert server is not None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
    finally:
        await asyncio.to_thread(server.close)

    assert "penguinmails_relay_leads 1.0" in text
    assert serve_metrics(metrics.registry, None) is None


@asynccontextmanager
async def keeping_leases(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.runner.keep_leases())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
