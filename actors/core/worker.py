"""The worker process: dramatiq's worker inside it, one event loop for all jobs, and an orderly end."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import FrameType
from typing import Any, TypeVar
from uuid import UUID

import dramatiq
import structlog
import uvloop
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import AsyncIO, Middleware
from dramatiq.worker import Worker

from actors.core.broker import JobBroker, jobs_redis_url
from actors.core.handler import Handlers
from actors.core.metrics import WorkerMetrics, serve_metrics
from actors.core.runner import JobRunner
from app.core.resources import Resources
from app.core.settings import Settings

POLL_MILLISECONDS = 100
_RECORD_SECONDS = 10.0

Result = TypeVar("Result")
Opening = Callable[[], AbstractAsyncContextManager[Resources]]

_log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Who claims: host and process, for the person who looks at a job."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


class JobLoopThread(EventLoopThread):
    """Dramatiq's event loop thread on uvloop, with a lighter way to hand work over: a lock instead of a future.

    Dramatiq's own wakes ten times a second to be interrupted by its time limits, which we do not use.
    """

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__))
        self.loop.close()
        self.loop = uvloop.new_event_loop()

    def run_coroutine(self, coro: Awaitable[Result]) -> Result:
        """Runs it on the loop while this worker thread waits. Raises what it raises."""
        ended: list[asyncio.Task[Result]] = []
        turn = threading.Lock()
        turn.acquire()

        def finish(task: "asyncio.Task[Result]") -> None:
            ended.append(task)
            turn.release()

        def start() -> None:
            self.loop.create_task(_awaited(coro)).add_done_callback(finish)

        self.loop.call_soon_threadsafe(start)
        turn.acquire()
        return ended[0].result()


async def _awaited(work: Awaitable[Result]) -> Result:
    return await work


class FastLoop(AsyncIO):
    """Dramatiq's AsyncIO with our event loop thread."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        thread = JobLoopThread()
        thread.start(timeout=5.0)
        set_event_loop_thread(thread)


class Lifespan(Middleware):
    """Opens pools and runner on the event loop before the first job, closes them after the last. Added after AsyncIO."""

    def __init__(self, opening: Opening, handlers: Handlers, metrics: WorkerMetrics) -> None:
        self._opening = opening
        self._handlers = handlers
        self._metrics = metrics
        self._stack = AsyncExitStack()
        self._leases: Any = None
        self.runner: JobRunner | None = None
        self.failure: Exception | None = None

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        try:
            _loop_thread().run_coroutine(self._open())
        except Exception as error:  # noqa: BLE001  # dramatiq would log it and start all the same; start() raises it
            self.failure = error

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        _loop_thread().run_coroutine(self._close())

    async def _open(self) -> None:
        resources = await self._stack.enter_async_context(self._opening())
        runner = JobRunner(resources, self._handlers, worker=worker_name(), metrics=self._metrics)
        self._leases = _loop_thread().loop.create_task(runner.keep_leases())
        self.runner = runner

    async def _close(self) -> None:
        if self._leases is not None:
            self._leases.cancel()
        await self._stack.aclose()

    def give_back_all(self) -> None:
        if self.runner is not None:
            _loop_thread().loop.call_soon_threadsafe(self.runner.give_back_all)


def _loop_thread() -> EventLoopThread:
    thread = get_event_loop_thread()
    assert thread is not None
    return thread


class JobWorker:
    """One per process (dramatiq's own rule)."""

    def __init__(
        self,
        settings: Settings,
        handlers: Handlers,
        opening: Opening,
        *,
        queues: frozenset[str] | None = None,
        prefetch: Mapping[str, int] | None = None,
    ) -> None:
        """Works on all queues of `handlers`, or on `queues` of them; `prefetch` bounds how many threads a queue may hold."""
        self._settings = settings
        self.metrics = WorkerMetrics()
        self._lifespan = Lifespan(opening, handlers, self.metrics)
        broker = JobBroker(jobs_redis_url(settings), middleware=[FastLoop(), self._lifespan], prefetch=prefetch)
        for queue in handlers.queues:
            dramatiq.actor(actor_name=queue, queue_name=queue, broker=broker)(self._perform)
        self._worker = Worker(
            broker,
            queues=None if queues is None else set(queues),
            worker_threads=settings.worker_threads,
            worker_timeout=POLL_MILLISECONDS,
        )
        self._broker = broker

    def start(self) -> None:
        """Raises what opening the resources raised."""
        self._worker.start()
        if self._lifespan.failure is not None:
            failure = self._lifespan.failure
            self._worker.stop(timeout=1000)
            raise failure

    def stop(self) -> None:
        """Takes nothing more, lets what runs finish within the grace, gives the rest back, and closes everything."""
        grace = self._settings.drain_seconds
        timer = threading.Timer(grace, self._lifespan.give_back_all)
        timer.start()
        try:
            self._worker.stop(timeout=int((grace + _RECORD_SECONDS) * 1000))
        finally:
            timer.cancel()
            self._broker.client.close()

    async def _perform(self, tenant_id: str, job_id: str) -> None:
        runner = self._lifespan.runner
        if runner is None:
            return  # the resources could not be opened and the process ends; the relay sends the job again
        try:
            await runner.run(UUID(tenant_id), UUID(job_id))
        except Exception as error:  # noqa: BLE001  # the row is the truth: the relay sends it again, or its lease ends
            _log.error("job_not_run", tenant=tenant_id, job=job_id, error=f"{type(error).__name__}: {error}")


def work_until_signalled(worker: JobWorker, settings: Settings) -> None:
    """Blocks; SIGTERM or SIGINT drains, a second one ends at once (leases and fences cover that, too)."""
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    metrics = serve_metrics(worker.metrics.registry, settings.worker_metrics_port)
    worker.start()
    _log.info("worker_started", name=worker_name(), threads=settings.worker_threads)
    try:
        stop.wait()
        _log.info("worker_draining", seconds=settings.drain_seconds)
    finally:
        worker.stop()
        if metrics is not None:
            metrics.close()
    _log.info("worker_stopped")
