"""Dramatiq's broker on Redis as we use it, and the relay's way of putting messages there: many in one round trip."""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import redis as blocking_redis
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.message import Message
from dramatiq.middleware import Middleware
from redis.asyncio import Redis

from app.core.settings import Settings

NAMESPACE = "penguinmails-jobs"
HEARTBEAT_MILLISECONDS = 15_000
MAINTENANCE_CHANCE = 100_000  # of a million: a killed worker's messages come back seconds after its heartbeat ended
URGENT = 0
BELL_SECONDS = 0.5
BUSY_SECONDS = 0.005
MOST_RINGS = 16


class Dispatched(Protocol):
    """What goes out: only ids; the rest stays in PostgreSQL."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def id(self) -> UUID: ...
    @property
    def priority(self) -> int: ...


def jobs_redis_url(settings: Settings) -> str:
    return settings.jobs_redis_url or settings.redis_url


class JobConsumer(Consumer):
    """Dramatiq's consumer polls, up to a tenth of a second late, and asks Redis once per finished message. This one waits
    for the relay's bell and settles many at once: a message that is settled late, or never, finds its job claimed.

    `prefetch` counts what runs and what waits in this process.
    """

    def __init__(self, broker: "JobBroker", queue: str, prefetch: int) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._fetched: deque[bytes] = deque()
        self._held: set[str] = set()
        self._done: deque[str] = deque()

    def ack(self, message: MessageProxy) -> None:
        """Called by worker threads; Redis hears of it with the next fetch."""
        self._done.append(message.options["redis_message_id"])
        self._held.discard(message.message_id)

    nack = ack  # a job's failure is recorded in its row; a dead-letter queue in Redis would be a second truth

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        if ids := [message.options["redis_message_id"] for message in messages]:
            self._broker.do_requeue(self._queue, *ids)

    def close(self) -> None:
        self._settle()

    def __next__(self) -> MessageProxy | None:
        """The next message, or None when there was none for a moment: dramatiq then looks whether to stop."""
        try:
            if not self._fetched:
                self._fetch()
            return self._take() if self._fetched else None
        except blocking_redis.ConnectionError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def _settle(self) -> None:
        done = [self._done.popleft() for _ in range(len(self._done))]
        if not done:
            return
        pipeline = self._broker.client.pipeline(transaction=True)
        pipeline.srem(f"{NAMESPACE}:__acks__.{self._broker.broker_id}.{self._queue}", *done)
        pipeline.hdel(_messages(self._queue), *done)
        pipeline.execute()

    def _fetch(self) -> None:
        self._settle()
        room = self._prefetch - len(self._held)
        if room <= 0:
            time.sleep(BUSY_SECONDS)
            return
        found = self._broker.do_fetch(self._queue, room)
        self._fetched.extend(data for data in found if data is not None)
        if not self._fetched:
            self._broker.client.blpop([_bell(self._queue)], timeout=BELL_SECONDS)

    def _take(self) -> MessageProxy:
        message: Message[Any] = Message.decode(self._fetched.popleft())
        self._held.add(message.message_id)
        return MessageProxy(message)


class JobBroker(RedisBroker):
    """Has no delay queues (what is due later waits in PostgreSQL) and may bound how much of a queue a worker takes."""

    def __init__(self, url: str, *, middleware: list[Middleware], prefetch: Mapping[str, int] | None = None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            url=url,
            middleware=middleware,
            namespace=NAMESPACE,
            heartbeat_timeout=HEARTBEAT_MILLISECONDS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )
        self._limits = dict(prefetch or {})

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """`prefetch` counts what runs, so it bounds how many threads of this worker one queue can hold."""
        return JobConsumer(self, queue_name, min(prefetch, self._limits.get(queue_name, prefetch)))


def encode_message(queue: str, tenant_id: UUID, job_id: UUID) -> bytes:
    """The message under which the worker finds the job. Its id is the job's: sent twice, it is there once."""
    return Message(
        queue_name=queue,
        actor_name=queue,
        args=(str(tenant_id), str(job_id)),
        kwargs={},
        options={"redis_message_id": str(job_id)},
        message_id=str(job_id),
    ).encode()


@dataclass(frozen=True, slots=True)
class MessageQueues:
    """Writes what dramatiq's `enqueue` writes (its dispatch.lua: a hash of messages and a list of their ids)."""

    redis: Redis

    async def push(self, queue: str, jobs: Sequence[Dispatched]) -> None:
        """In the order given; urgent ones before all that wait there. Raises RedisError, OSError."""
        if not jobs:
            return
        messages: dict[Any, Any] = {str(job.id): encode_message(queue, job.tenant_id, job.id) for job in jobs}
        urgent = [str(job.id) for job in jobs if job.priority == URGENT]
        others = [str(job.id) for job in jobs if job.priority != URGENT]
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.hset(_messages(queue), mapping=messages)
        if urgent:
            pipeline.lpush(_list(queue), *reversed(urgent))
        if others:
            pipeline.rpush(_list(queue), *others)
        pipeline.rpush(_bell(queue), *(["1"] * min(len(jobs), MOST_RINGS)))
        pipeline.ltrim(_bell(queue), -MOST_RINGS, -1)
        await pipeline.execute()

    async def push_again(self, queue: str, jobs: Sequence[Dispatched]) -> None:
        """As push, for jobs whose message may be there still: each is in the list once. Raises RedisError, OSError."""
        pipeline = self.redis.pipeline(transaction=True)
        for job in jobs:
            pipeline.lrem(_list(queue), 0, str(job.id))
        await pipeline.execute()
        await self.push(queue, jobs)

    async def missing(self, queue: str, job_ids: Iterable[UUID]) -> set[UUID]:
        """Those of the jobs of which Redis has no message. Raises RedisError, OSError."""
        ids = list(job_ids)
        found = await self.redis.hmget(_messages(queue), [str(each) for each in ids])
        return {job_id for job_id, message in zip(ids, found, strict=True) if message is None}


def _list(queue: str) -> str:
    return f"{NAMESPACE}:{queue}"


def _bell(queue: str) -> str:
    """A token here wakes one waiting worker; lost or late, it costs half a second."""
    return f"{NAMESPACE}:{queue}:bell"


def _messages(queue: str) -> str:
    return f"{NAMESPACE}:{queue}.msgs"
