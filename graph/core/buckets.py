"""Budgets: a bucket of points per tenant and caller, refilled steadily. Counted here, settled with the other processes
through Redis a few times a second; without Redis each process counts for itself."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.caller import Caller
from app.core.errors import Throttled

log = structlog.get_logger(__name__)

_SETTLE_EVERY_SECONDS = 0.25
_MOST_BUCKETS = 50_000
_MOST_PER_SETTLEMENT = 500

# KEYS: one bucket. ARGV: points spent here since the last time, capacity, points per second. Answers its level.
_SETTLE = """
local held = redis.call('HMGET', KEYS[1], 'level', 'at')
local moment = redis.call('TIME')
local now = tonumber(moment[1]) + tonumber(moment[2]) / 1000000
local capacity, rate = tonumber(ARGV[2]), tonumber(ARGV[3])
local level = tonumber(held[1]) or capacity
if held[2] then level = math.min(capacity, level + math.max(0, now - tonumber(held[2])) * rate) end
level = math.max(-capacity, level - tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil(2000 * capacity / rate) + 1000)
return tostring(level)
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer says about its cost, in `extensions.cost`."""

    requested: int
    limit: int
    remaining: int
    reset_at: datetime

    def shown(self) -> dict[str, Any]:
        return {
            "requested": self.requested,
            "limit": self.limit,
            "remaining": self.remaining,
            "resetAt": self.reset_at,
        }


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    unsettled: int = 0


class Buckets:
    """All budgets of this process. `capacity` in points, `rate` in points per second."""

    def __init__(
        self, *, capacity: int, rate: float, redis: Redis | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.capacity = capacity
        self.rate = rate
        self._redis = redis
        self._script = None if redis is None else redis.register_script(_SETTLE)
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._unsettled: set[str] = set()
        self._redis_answers = True

    def take(self, caller: Caller, cost: int) -> Budget:
        """Takes `cost` points of the caller's budget. Raises Throttled, and takes nothing, when they are not there."""
        name = _name(caller)
        bucket = self._filled(name)
        if cost > bucket.level:
            raise Throttled((cost - bucket.level) / self.rate)
        bucket.level -= cost
        if cost:
            bucket.unsettled += cost
            self._unsettled.add(name)
        return self._budget(caller, bucket, cost)

    def need(self, caller: Caller, cost: int) -> None:
        """Raises Throttled when `cost` points are not there; takes nothing."""
        bucket = self._filled(_name(caller))
        if cost > bucket.level:
            raise Throttled((cost - bucket.level) / self.rate)

    def look(self, caller: Caller, requested: int) -> Budget:
        """The caller's budget as it stands, for an answer that took nothing."""
        return self._budget(caller, self._filled(_name(caller)), requested)

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[None]:
        """Settles in the background while the block runs."""
        task = asyncio.create_task(self._settle_forever(), name="graphql-buckets")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def settle(self) -> None:
        """Tells Redis what was spent here, and learns what was spent elsewhere. One round trip; never raises for Redis."""
        names = [name for name in list(self._unsettled)[:_MOST_PER_SETTLEMENT] if name in self._buckets]
        self._unsettled.difference_update(names or list(self._unsettled))
        if not names or self._redis is None or self._script is None:
            return
        spent = {name: self._buckets[name].unsettled for name in names}
        for name in names:
            self._buckets[name].unsettled = 0
        try:
            levels = await self._exchange(spent)
        except (RedisError, OSError) as error:
            if self._redis_answers:
                log.warning("graphql.buckets_local_only", error=str(error))
            self._redis_answers = False
            return
        self._redis_answers = True
        for name, level in zip(names, levels, strict=True):
            bucket = self._buckets.get(name)
            if bucket is not None:
                bucket.level = min(self.capacity, float(level)) - bucket.unsettled
                bucket.at = self._monotonic()

    async def _exchange(self, spent: dict[str, int]) -> list[bytes]:
        assert self._redis is not None
        assert self._script is not None
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name, points in spent.items():
                await self._script(
                    keys=[f"graphql:bucket:{name}"], args=[points, self.capacity, self.rate], client=pipeline
                )
            return await pipeline.execute()

    async def _settle_forever(self) -> None:
        while True:
            await asyncio.sleep(_SETTLE_EVERY_SECONDS)
            await self.settle()

    def _filled(self, name: str) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self.capacity, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return bucket
        bucket.level = min(self.capacity, bucket.level + (now - bucket.at) * self.rate)
        bucket.at = now
        self._buckets.move_to_end(name)
        return bucket

    def _budget(self, caller: Caller, bucket: _Bucket, requested: int) -> Budget:
        wait_seconds = (self.capacity - bucket.level) / self.rate
        return Budget(
            requested=requested,
            limit=self.capacity,
            remaining=max(0, int(bucket.level)),
            reset_at=caller.now() + timedelta(seconds=wait_seconds),
        )


def _name(caller: Caller) -> str:
    return f"{caller.purse}:{caller.tenant}:{caller.actor}"
