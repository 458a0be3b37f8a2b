"""From the commit of an event to a thousand subscribers, over WebSocket, through one API process."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import ClassVar

from app.live.recording import record
from app.live.topics import LiveEvent
from tests.bench.deployment import Deployment, Running
from tests.bench.figures import Figure
from tests.bench.graphql import START_SECONDS
from tests.bench.http import listening
from tests.bench.seeding import Seeded, seed_tenant
from tests.bench.sockets import Arrived, Subscriber

SUBSCRIBERS, AT_ONCE = 1_000, 50
EVENTS, EVERY_SECONDS = 20, 0.75
WARM_UP = 4
LAST_SECONDS = 15.0
QUERY = "subscription { tenantEvents { cursor topic at objectId version payload } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchTicked(LiveEvent):
    """An event with a number, by which its arrival is known."""

    topic: ClassVar[str] = "bench.ticked"
    object_type: ClassVar[str] = "Workspace"

    bench_number: int


async def measure_live(deployed: Deployment) -> list[Figure]:
    """Every subscriber hears every event of its tenant."""
    committed: dict[int, float] = {}
    delays: dict[int, list[float]] = {}

    def arrived(number: int, moment: float) -> None:
        delays.setdefault(number, []).append(moment - committed[number])

    async with deployed.opened() as resources:
        seeded = await seed_tenant(resources, "live")
        serve = deployed.command("serve", sockets_per_session=str(SUBSCRIBERS))
        with serve as api, deployed.command("relay") as relay:
            await listening(deployed.api_port, api.check, seconds=START_SECONDS)
            subscribers = await _subscribed(deployed.api_port, seeded.access_token, arrived)
            for number in range(EVENTS):
                await _tick(seeded, number, committed)
                await asyncio.sleep(EVERY_SECONDS)
            await _all_heard(delays, [api, relay])
            for each in subscribers:
                each.close()
    counted = [delay for number in range(WARM_UP, EVENTS) for delay in delays[number]]
    p95 = quantiles(counted, n=20)[-1] * 1000
    detail = (
        f"median {median(counted) * 1000:,.0f} ms, slowest {max(counted) * 1000:,.0f} ms: {SUBSCRIBERS:,} sockets of one tenant "
        f"at one API process, each hears each of {EVENTS - WARM_UP} events, one every {EVERY_SECONDS} s, from before its COMMIT"
    )
    return [Figure("liveP95Ms", "Event to subscriber, p95", p95, "ms", "< 150", detail)]


async def _subscribed(port: int, token: str, arrived: Arrived) -> list[Subscriber]:
    loop = asyncio.get_running_loop()
    made: list[Subscriber] = []
    for _start in range(0, SUBSCRIBERS, AT_ONCE):
        some = [Subscriber(port, token, query=QUERY, arrived=arrived) for _ in range(AT_ONCE)]
        for each in some:
            await loop.create_connection(partial(_same, each), "127.0.0.1", port)
        await asyncio.gather(*(each.acknowledged for each in some))
        made += some
    await asyncio.sleep(2)  # the last ones' subscriptions begin after their acknowledgement
    return made


def _same(subscriber: Subscriber) -> Subscriber:
    return subscriber


async def _tick(seeded: Seeded, number: int, committed: dict[int, float]) -> None:
    """Records the event, and notes the moment before its COMMIT."""
    async with seeded.caller.transaction():
        event = BenchTicked(
            workspace_id=seeded.workspace_id, object_id=seeded.workspace_id, version=number + 1, bench_number=number
        )
        await record(seeded.caller, event)
        committed[number] = time.perf_counter()


async def _all_heard(delays: dict[int, list[float]], parts: list[Running]) -> None:
    give_up_at = time.monotonic() + LAST_SECONDS
    while any(len(delays.get(number, [])) < SUBSCRIBERS for number in range(EVENTS)):
        if time.monotonic() > give_up_at:
            missing = {number: SUBSCRIBERS - len(delays.get(number, [])) for number in range(EVENTS)}
            raise RuntimeError(f"not heard: {missing}\n" + "\n".join(part.last_words() for part in parts))
        await asyncio.sleep(0.1)
    if any(len(each) > SUBSCRIBERS for each in delays.values()):
        raise RuntimeError("an event was heard twice")
