"""Jobs a second through outbox, relay and worker, against the same no-op on dramatiq alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from statistics import median

from redis.asyncio import Redis

from actors.core.broker import jobs_redis_url
from app.jobs.outbox import enqueue
from tests.bench.deployment import Deployment, Running
from tests.bench.figures import Figure, median_ratio
from tests.bench.job_processes import BARE_NAMESPACE, QUEUE, DoNothing, bare_actor
from tests.bench.seeding import Seeded, seed_tenant

ROUNDS = 3
JOBS = 3_000
PER_TRANSACTION = 500
MODULE = "tests.bench.job_processes"
GIVE_UP_SECONDS = 120.0

Count = Callable[[], Awaitable[int]]


async def measure_jobs(deployed: Deployment) -> list[Figure]:
    """Each round does the same number both ways, one after the other, from a backlog that is there already."""
    ours, theirs = [], []
    async with deployed.opened() as resources:
        for number in range(ROUNDS):
            theirs.append(await _bare(deployed))
            ours.append(await _ours(deployed, await seed_tenant(resources, f"jobs-{number}")))
    detail = (
        f"{median(ours):,.0f} against {median(theirs):,.0f} jobs a second: no-op jobs, one worker process with "
        f"{deployed.settings.worker_threads} threads each; ours with claim and record in PostgreSQL, and the relay beside it"
    )
    return [
        Figure(
            "jobsToBareDramatiq",
            "Jobs through outbox and relay / bare dramatiq",
            median_ratio(ours, theirs),
            "",
            ">= 0.5",
            detail,
        )
    ]


async def _ours(deployed: Deployment, seeded: Seeded) -> float:
    caller = seeded.caller
    for start in range(0, JOBS, PER_TRANSACTION):
        async with caller.transaction():
            for number in range(start, start + PER_TRANSACTION):
                await enqueue(caller, DoNothing(number))

    async def left() -> int:
        async with caller.transaction(read_only=True) as open_transaction:
            count = await open_transaction.fetchval(
                "SELECT count(*) FROM jobs WHERE tenant_id = $1 AND queue = $2 AND finished_at IS NULL",
                caller.tenant_id,
                QUEUE,
            )
            return int(count)

    with ExitStack() as processes:
        parts = [
            processes.enter_context(
                deployed.process(f"jobs-{part}", "-m", MODULE, part, environment=deployed.environment())
            )
            for part in ("work", "relay")
        ]
        return await _rate(left, parts)


async def _bare(deployed: Deployment) -> float:
    url = jobs_redis_url(deployed.settings)
    actor = bare_actor(url)
    await asyncio.to_thread(lambda: [actor.send(number) for number in range(JOBS)])
    redis = Redis.from_url(url)

    async def left() -> int:
        return int(await redis.hlen(f"{BARE_NAMESPACE}:{QUEUE}.msgs"))

    try:
        with deployed.process("jobs-bare", "-m", MODULE, "bare", environment=deployed.environment()) as part:
            return await _rate(left, [part])
    finally:
        await redis.aclose()


async def _rate(left: Count, parts: list[Running]) -> float:
    """Jobs a second from the first that is seen done to the last."""
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while (remaining := await left()) == JOBS:
        _check(parts, give_up_at, remaining)
        await asyncio.sleep(0.02)
    started_at, at_start = time.perf_counter(), remaining
    while remaining := await left():
        _check(parts, give_up_at, remaining)
        await asyncio.sleep(0.02)
    return at_start / (time.perf_counter() - started_at)


def _check(parts: list[Running], give_up_at: float, remaining: int) -> None:
    for part in parts:
        part.check()
    if time.monotonic() > give_up_at:
        said = "\n".join(part.last_words() for part in parts)
        raise RuntimeError(f"{remaining} of {JOBS} jobs were not done within {GIVE_UP_SECONDS:.0f} seconds:\n{said}")
