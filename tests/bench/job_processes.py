"""The processes of the jobs measurement: `relay` and `work` for jobs that do nothing, and `bare`: dramatiq alone."""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import dramatiq
import uvloop
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from dramatiq.worker import Worker
from redis.asyncio import Redis

from actors.core.broker import jobs_redis_url
from actors.core.handler import Handlers, handles
from actors.core.relay import Relay
from actors.core.worker import POLL_MILLISECONDS, JobWorker, work_until_signalled
from app.core.caller import Caller
from app.core.resources import Resources
from app.core.settings import Settings, read_settings
from app.jobs.job import Job, job
from app.wiring import build_resources, opened

QUEUE = "bench"
BARE_NAMESPACE = "bare"


@job("bench.do_nothing", queue=QUEUE)
@dataclass(frozen=True, slots=True)
class DoNothing(Job):
    number: int


@handles(DoNothing)
async def do_nothing(caller: Caller, job: DoNothing) -> None:
    """What bare dramatiq's actor does: nothing, so that only the way to it is measured."""


def bare_actor(url: str) -> "dramatiq.Actor[[int], None]":
    """The same on dramatiq alone, as its guide has it: its own broker and event loop, and none of our changes to them."""
    broker = RedisBroker(url=url, middleware=[AsyncIO()], namespace=BARE_NAMESPACE)  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name=QUEUE)
    async def nothing(number: int) -> None:
        pass

    return nothing


def work(settings: Settings) -> None:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Resources]:
        async with opened(build_resources(settings)) as resources:
            yield resources

    work_until_signalled(JobWorker(settings, Handlers([do_nothing]), opening), settings)


async def relay(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with opened(build_resources(settings), system=True) as resources:
        jobs_redis = Redis.from_url(jobs_redis_url(settings))
        try:
            await Relay(resources, [QUEUE], jobs_redis=jobs_redis).run(stop)
        finally:
            await jobs_redis.aclose()


def bare(settings: Settings) -> None:
    broker = bare_actor(jobs_redis_url(settings)).broker
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=POLL_MILLISECONDS)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    worker.start()
    stop.wait()
    worker.stop()


def main(part: str) -> None:
    settings = read_settings()
    if part == "relay":
        uvloop.run(relay(settings))
    elif part == "work":
        work(settings)
    else:
        bare(settings)


if __name__ == "__main__":
    main(sys.argv[1])
