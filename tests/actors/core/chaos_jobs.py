"""Jobs for the tests of relay and workers: each leaves a mark in `audit_log`, so that a test counts real effects.

Also a program of its own: `python -m tests.actors.core.chaos_jobs work` (or `relay`) is a real process until a signal.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis

from actors.core.broker import jobs_redis_url
from actors.core.handler import Handlers, handles
from actors.core.relay import Relay
from actors.core.worker import JobWorker, work_until_signalled
from app.core.caller import Caller
from app.core.clock import Clock
from app.core.errors import Invalid
from app.core.garbage import collect_rarely
from app.core.resources import Resources
from app.core.secrets import Cipher
from app.core.settings import Settings, parse_master_keys
from app.jobs.errors import PermanentFailure
from app.jobs.job import Job, Priority, job
from db.core.tiers import OLTP, SYSTEM


@job("chaos.mark", queue="chaos", attempts=5, retry_delay_seconds=0.05, retry_cap_seconds=0.2)
@dataclass(frozen=True, slots=True)
class Mark(Job):
    """Leaves its mark once, whoever runs it and however often."""

    number: int
    seconds: float = 0.0


@job("chaos.urgent", queue="chaos", priority=Priority.URGENT)
@dataclass(frozen=True, slots=True)
class UrgentMark(Job):
    number: int


@job("chaos.fail", queue="chaos", attempts=3, retry_delay_seconds=0.05, retry_cap_seconds=0.1)
@dataclass(frozen=True, slots=True)
class Fail(Job):
    """`how`: retry | permanent | domain | slow."""

    how: str


@job("chaos.slow", queue="chaos", attempts=2, timeout_seconds=1, retry_delay_seconds=0.05)
@dataclass(frozen=True, slots=True)
class TooSlow(Job):
    pass


async def leave_mark(caller: Caller, number: int) -> None:
    """Runs at least once, has its effect once: as every handler must, by a row of its own."""
    async with caller.transaction() as transaction:
        await transaction.execute(
            """
            INSERT INTO audit_log (tenant_id, id, action, actor, object_type, object_id, details, address, request_id, created_at)
            VALUES ($1, $2, 'chaos.mark', 'test', 'Chaos', $2, $3, '', '', clock_timestamp())
            ON CONFLICT (tenant_id, id) DO NOTHING
            """,
            caller.tenant_id,
            UUID(int=number),
            {"worker": os.getpid()},
        )


@handles(Mark)
async def mark(caller: Caller, job: Mark) -> None:
    if job.seconds:
        await asyncio.sleep(job.seconds)
    await leave_mark(caller, job.number)


@handles(UrgentMark)
async def urgent(caller: Caller, job: UrgentMark) -> None:
    await leave_mark(caller, job.number)


@handles(Fail)
async def fail(caller: Caller, job: Fail) -> None:
    if job.how == "permanent":
        raise PermanentFailure("The card was refused.")
    if job.how == "domain":
        raise Invalid("The list is empty.")
    raise RuntimeError("the disk is full")


@handles(TooSlow)
async def too_slow(caller: Caller, job: TooSlow) -> None:
    await asyncio.sleep(30)


HANDLERS = Handlers([mark, urgent, fail, too_slow])


@asynccontextmanager
async def opening(settings: Settings, *, system: bool = False) -> AsyncIterator[Resources]:
    """What these jobs need of app.wiring, whose imports would make each start of a worker take seconds."""
    redis = Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2)
    cipher = Cipher(parse_master_keys(settings.master_keys.get_secret_value()))
    await OLTP.open(settings.oltp_url, max_size=settings.oltp_pool)
    if system and settings.system_url is not None:
        await SYSTEM.open(settings.system_url, max_size=settings.system_pool)
    try:
        yield Resources(settings=settings, clock=Clock(), cipher=cipher, redis=redis)
    finally:
        await OLTP.close()
        await SYSTEM.close()
        await redis.aclose()


async def lead(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with opening(settings, system=True) as resources:
        jobs_redis = Redis.from_url(jobs_redis_url(settings), socket_timeout=2, socket_connect_timeout=2)
        await Relay(resources, HANDLERS.queues, jobs_redis=jobs_redis).run(stop)
        await jobs_redis.aclose()


if __name__ == "__main__":
    chosen = Settings.model_validate(json.loads(sys.stdin.readline()))
    if sys.argv[1] == "relay":
        asyncio.run(lead(chosen))
    else:
        job_worker = JobWorker(chosen, HANDLERS, lambda: opening(chosen))
        collect_rarely()
        work_until_signalled(job_worker, chosen)
