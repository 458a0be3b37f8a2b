"""Limits on attempts, shared by all processes through Redis, and by process alone while Redis is away.

The algorithm is GCRA: a key holds one number, the moment at which its allowance would be full again. `count` may come
at once, then one every `period_seconds / count`. Real time is used, not the virtual clock: limits are about people who
guess, and they guess in real time.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

LOCAL_KEYS = 20_000
REDIS_PATIENCE_SECONDS = 0.5
REDIS_PAUSE_SECONDS = 2.0

# KEYS[1]; ARGV: now, seconds per attempt (negative gives one back), period. Answers the seconds to wait, 0 when granted.
_TAKE = """
local now, step, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
local after = full + step
if after - now > period + 0.000001 then return string.format('%.6f', after - now - period) end
if after <= now then redis.call('DEL', KEYS[1]) else
  redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', math.ceil((after - now) * 1000)) end
return '0'
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` attempts at once, and so many again over every `period_seconds`."""

    name: str
    count: int
    period_seconds: float


class RateLimits:
    """Takes attempts from limits. Keys are hashed, so that neither addresses nor e-mail stand in Redis."""

    def __init__(self, redis: Redis, *, now: Callable[[], float] = time.time, local_keys: int = LOCAL_KEYS) -> None:
        self._redis = redis
        self._now = now
        self._local: OrderedDict[str, float] = OrderedDict()
        self._local_keys = local_keys
        self._redis_away_until = 0.0

    async def take(self, limit: Limit, key: str) -> float:
        """Takes one attempt. Returns 0 when it is granted, else the seconds until one will be; then none is taken."""
        return await self._move(limit, key, limit.period_seconds / limit.count)

    async def give_back(self, limit: Limit, key: str) -> None:
        """Undoes one granted `take`, as after a right password."""
        await self._move(limit, key, -limit.period_seconds / limit.count)

    async def _move(self, limit: Limit, key: str, step: float) -> float:
        name = f"limit:{limit.name}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        now = self._now()
        if time.monotonic() >= self._redis_away_until:
            try:
                async with asyncio.timeout(REDIS_PATIENCE_SECONDS):
                    answer = await self._redis.eval(_TAKE, 1, name, str(now), str(step), str(limit.period_seconds))
                return float(answer)
            except (RedisError, OSError, TimeoutError) as error:
                self._redis_away_until = time.monotonic() + REDIS_PAUSE_SECONDS
                _log.warning("limits_are_local", reason=str(error) or type(error).__name__)
        return self._move_locally(name, now, step, limit.period_seconds)

    def _move_locally(self, name: str, now: float, step: float, period: float) -> float:
        after = max(self._local.get(name, 0.0), now) + step
        if after - now > period + 1e-6:
            return after - now - period
        self._local[name] = after
        self._local.move_to_end(name)
        while len(self._local) > self._local_keys:
            self._local.popitem(last=False)
        return 0.0
