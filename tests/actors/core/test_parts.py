"""Small parts between relay and handler: who handles what, questions that are asked together, and messages as dramatiq reads them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import pytest

from actors.core.batches import LARGEST, TenantBatches
from actors.core.broker import JobBroker, MessageQueues, jobs_redis_url
from actors.core.handler import Handlers, HandlersMistaken, handles
from app.core.caller import Caller
from app.core.hints import Hints, read_hints
from app.core.ids import new_id
from app.core.resources import Resources
from app.core.settings import Settings
from app.jobs.job import Job, job
from tests.actors.core.chaos_jobs import HANDLERS


@job("parts.sweep", queue="floor")
@dataclass(frozen=True, slots=True)
class Sweep(Job):
    pass


@handles(Sweep)
async def sweep(caller: Caller, job: Sweep) -> None: ...


@handles(Sweep)
async def sweep_too(caller: Caller, job: Sweep) -> None: ...


class Undeclared(Job):
    pass


@dataclass(frozen=True)
class Out:
    id: UUID
    tenant_id: UUID
    priority: int = 2


def test_a_job_has_exactly_one_handler() -> None:
    with pytest.raises(HandlersMistaken, match=r"parts\.sweep is handled twice"):
        Handlers([sweep, sweep_too])
    assert Handlers([sweep, sweep, print]).names == ("parts.sweep",)  # the same function, imported twice


def test_only_a_declared_job_can_be_handled() -> None:
    with pytest.raises(AttributeError):
        handles(Undeclared)


def test_a_worker_names_what_it_cannot_do() -> None:
    with pytest.raises(LookupError, match=r"no handler for parts\.mop"):
        Handlers([sweep]).of("parts.mop")
    assert HANDLERS.queues == ("chaos",)


async def test_what_is_asked_meanwhile_is_asked_together_per_tenant() -> None:
    asked: list[tuple[UUID, list[int]]] = []
    one, two = new_id(), new_id()

    async def call(tenant_id: UUID, items: Sequence[int]) -> Sequence[int]:
        asked.append((tenant_id, list(items)))
        await asyncio.sleep(0.05)
        return [item * 10 for item in items]

    batches = TenantBatches(call)
    first = asyncio.create_task(batches.ask(one, 0))
    await asyncio.sleep(0.01)
    rest = await asyncio.gather(*(batches.ask(one, number) for number in range(1, LARGEST + 6)), batches.ask(two, 7))

    assert await first == 0
    assert rest == [*(number * 10 for number in range(1, LARGEST + 6)), 70]
    assert [items for tenant, items in asked if tenant == one] == [
        [0],
        list(range(1, LARGEST + 1)),
        list(range(LARGEST + 1, LARGEST + 6)),
    ]


async def test_a_failed_batch_fails_for_those_in_it_and_the_next_one_works() -> None:
    tenant = new_id()
    fails = True

    async def call(_tenant: UUID, items: Sequence[int]) -> Sequence[int]:
        if fails:
            raise ConnectionResetError("gone")
        return items

    batches = TenantBatches(call)
    results = await asyncio.gather(batches.ask(tenant, 1), batches.ask(tenant, 2), return_exceptions=True)
    fails = False

    assert [type(each) for each in results] == [ConnectionResetError, ConnectionResetError]
    assert await batches.ask(tenant, 3) == 3


async def test_dramatiq_reads_what_the_relay_writes_urgent_ones_first(resources: Resources, settings: Settings) -> None:
    queue = f"parts-{new_id().hex[-8:]}"
    jobs = [Out(new_id(), new_id()), Out(new_id(), new_id()), Out(new_id(), new_id(), priority=0)]
    await MessageQueues(resources.redis).push(queue, jobs)

    broker = JobBroker(jobs_redis_url(settings), middleware=[])
    broker.declare_queue(queue)
    consumer = broker.consume(queue, prefetch=2)
    first, second = next(consumer), next(consumer)
    nothing_more = await asyncio.to_thread(next, consumer)  # two are held: that is all it may take
    assert first is not None
    assert second is not None
    consumer.ack(first)
    third = next(consumer)
    missing = await MessageQueues(resources.redis).missing(queue, [job.id for job in jobs])
    broker.client.close()

    assert third is not None
    assert nothing_more is None
    assert [message.args for message in (first, second, third)] == [
        (str(job.tenant_id), str(job.id)) for job in (jobs[2], jobs[0], jobs[1])
    ]
    assert missing == {jobs[2].id}


async def test_sent_again_a_message_is_in_the_queue_once(resources: Resources) -> None:
    queue = f"parts-{new_id().hex[-8:]}"
    queues = MessageQueues(resources.redis)
    jobs = [Out(new_id(), new_id()), Out(new_id(), new_id())]

    await queues.push(queue, jobs)
    await queues.push_again(queue, jobs)

    waiting = await resources.redis.lrange(f"penguinmails-jobs:{queue}", 0, -1)
    assert waiting == [str(job.id).encode() for job in jobs]


async def test_a_waiting_worker_is_woken_by_the_bell(resources: Resources, settings: Settings) -> None:
    queue = f"parts-{new_id().hex[-8:]}"
    broker = JobBroker(jobs_redis_url(settings), middleware=[])
    broker.declare_queue(queue)
    consumer = broker.consume(queue, prefetch=4)
    loop = asyncio.get_running_loop()

    waiting = asyncio.ensure_future(asyncio.to_thread(lambda: (next(consumer), next(consumer))))
    await asyncio.sleep(0.1)
    pushed_at = loop.time()
    await MessageQueues(resources.redis).push(queue, [Out(new_id(), new_id())])
    nothing, message = await waiting
    took = loop.time() - pushed_at
    broker.client.close()

    assert (nothing, message is not None) == (None, True)
    assert took < 0.25  # without the bell it sleeps for half a second


async def test_hints_given_at_once_go_out_together_and_never_wait_for_redis(resources: Resources) -> None:
    async with resources.redis.pubsub() as listener:
        await listener.subscribe("penguinmails:hints")
        await listener.get_message(timeout=1)
        hints = Hints(resources.redis)
        for hint in ("sending a", "sending a", "sending b", "live"):
            hints.give(hint)
        await hints.close()
        message = await listener.get_message(timeout=2)

    assert message is not None
    assert sorted(read_hints(message["data"])) == [("live", ""), ("sending", "a"), ("sending", "b")]


async def test_without_redis_hints_are_dropped_in_silence_for_a_second() -> None:
    class Gone:
        calls = 0

        async def publish(self, *_: object) -> None:
            self.calls += 1
            raise ConnectionRefusedError

    gone = Gone()
    hints = Hints(gone)  # type: ignore[arg-type]
    hints.give("a b")
    await hints.close()
    hints.give("a b")
    await hints.close()

    assert gone.calls == 1
