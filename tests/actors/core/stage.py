"""A stage for chaos: tenants, enqueueing, counting marks, and relays that run in the test's own loop."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from redis.asyncio import Redis

from actors.core.broker import jobs_redis_url
from actors.core.relay import Pace, Relay
from app.core.caller import Caller, job_caller
from app.core.ids import new_id
from app.core.resources import Resources
from app.core.settings import Settings
from app.jobs.job import Job
from app.jobs.outbox import enqueue
from db.core.transaction import tenant_transaction

QUICK = Pace(lease=1.0, standby=0.1, full_query=0.2, sweep=0.3, unclaimed=4.0, report=1.0, after_failure=0.1)


def caller_of(resources: Resources, tenant_id: UUID | None = None) -> Caller:
    return job_caller(resources, tenant_id or new_id(), "test")


async def enqueue_all(caller: Caller, jobs: Sequence[Job], **how: Any) -> None:
    async with caller.transaction():
        for job in jobs:
            await enqueue(caller, job, **how)


async def marks(tenant_id: UUID) -> list[int]:
    """Numbers of the marks that were left, in order, each as often as it was left."""
    async with tenant_transaction(tenant_id, read_only=True) as transaction:
        rows = await transaction.fetch(
            "SELECT object_id FROM audit_log WHERE tenant_id = $1 AND action = 'chaos.mark' ORDER BY created_at",
            tenant_id,
        )
    return [row["object_id"].int for row in rows]


async def states(tenant_id: UUID) -> dict[str, int]:
    async with tenant_transaction(tenant_id, read_only=True) as transaction:
        rows = await transaction.fetch(
            "SELECT state, count(*) AS n FROM jobs WHERE tenant_id = $1 GROUP BY state", tenant_id
        )
    return {row["state"]: row["n"] for row in rows}


async def job_rows(tenant_id: UUID) -> list[dict[str, Any]]:
    async with tenant_transaction(tenant_id, read_only=True) as transaction:
        rows = await transaction.fetch("SELECT * FROM jobs WHERE tenant_id = $1 ORDER BY id", tenant_id)
    return [dict(row) for row in rows]


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Waits for the condition, through a database that comes and goes. Fails the test when it does not come."""
    give_up_at = time.monotonic() + seconds
    while not await _holds(condition):
        assert time.monotonic() < give_up_at, "waited too long"
        await asyncio.sleep(0.03)


async def _holds(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await condition()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        return False


@asynccontextmanager
async def relay(
    resources: Resources, queues: Sequence[str] = ("chaos",), *, name: str = "relay", pace: Pace = QUICK
) -> AsyncIterator[Relay]:
    """A relay that runs while the block does."""
    jobs_redis = Redis.from_url(jobs_redis_url(resources.settings), socket_timeout=2, socket_connect_timeout=2)
    running = Relay(resources, queues, jobs_redis=jobs_redis, name=name, pace=pace)
    stop = asyncio.Event()
    task = asyncio.create_task(running.run(stop))
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
        await jobs_redis.aclose()


async def start_worker(settings: Settings, part: str = "work") -> asyncio.subprocess.Process:
    """A real worker process, or a relay. The caller ends it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.actors.core.chaos_jobs", part, stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    values = settings.model_dump(mode="json")
    values["master_keys"] = settings.master_keys.get_secret_value()
    values["token_key"] = settings.token_key.get_secret_value()
    process.stdin.write(json.dumps(values).encode() + b"\n")
    await process.stdin.drain()
    return process


@asynccontextmanager
async def worker(settings: Settings, part: str = "work") -> AsyncIterator[asyncio.subprocess.Process]:
    """One that runs while the block does."""
    process = await start_worker(settings, part)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 15)


async def all_done(tenant_id: UUID, count: int) -> None:
    async def done() -> bool:
        return await states(tenant_id) == {"completed": count}

    await until(done, seconds=60)


async def some_done(tenant_id: UUID, at_least: int) -> None:
    async def reached() -> bool:
        return len(await marks(tenant_id)) >= at_least

    await until(reached, seconds=30)
