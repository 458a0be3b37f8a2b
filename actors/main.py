"""The two processes behind the API: `run_relay` and `run_workers`. Each blocks until SIGTERM or SIGINT."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from redis.asyncio import Redis

import actors
from actors.core.broker import jobs_redis_url
from actors.core.handler import Handlers, gather_handlers
from actors.core.metrics import serve_metrics
from actors.core.relay import Relay
from actors.core.worker import JobWorker, work_until_signalled
from app.core.garbage import collect_rarely
from app.core.resources import Resources
from app.core.settings import Settings
from app.wiring import build_resources, opened

# How much of a worker's threads a queue may hold at most, so that its long jobs leave room for all others.
QUEUE_SHARES = {"sending": 0.75, "planning": 0.75, "imports": 0.5, "maintenance": 0.25}
REDIS_TIMEOUT_SECONDS = 5.0


def all_handlers() -> Handlers:
    """Of every module actors/<domain>/<noun>.py. Raises HandlersMistaken."""
    return gather_handlers(actors, but=("actors.core", "actors.main"))


def run_workers(settings: Settings, queues: frozenset[str] | None = None) -> None:
    """Does jobs: of all queues, or of `queues`. SIGTERM drains within settings.drain_seconds."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Resources]:
        async with opened(build_resources(settings)) as resources:
            yield resources

    limits = {queue: max(1, int(settings.worker_threads * share)) for queue, share in QUEUE_SHARES.items()}
    worker = JobWorker(settings, all_handlers(), opening, queues=queues, prefetch=limits)
    collect_rarely()
    work_until_signalled(worker, settings)


def run_relay(settings: Settings) -> None:
    """Leads or stands by."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_relay(settings))


async def _relay(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(build_resources(settings), system=True) as resources:
        jobs_redis = Redis.from_url(
            jobs_redis_url(settings),
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        )
        relay = Relay(resources, all_handlers().queues, jobs_redis=jobs_redis)
        metrics = serve_metrics(relay.metrics.registry, settings.relay_metrics_port)
        try:
            await relay.run(stop)
        finally:
            await jobs_redis.aclose()
            if metrics is not None:
                metrics.close()
