"""Hints to the relay that something was committed: lossy by design, sent in the background, many in one message."""

import asyncio
import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "penguinmails:hints"
_QUIET_SECONDS = 1.0
_MOST_PENDING = 1000

_log = structlog.get_logger(__name__)


class Hints:
    """Nobody waits for a hint: the relay looks by itself once a second, also when Redis is gone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pending: set[str] = set()
        self._sending: asyncio.Task[None] | None = None
        self._quiet_until = 0.0

    def give(self, hint: str) -> None:
        """Sends `hint` (`<queue> <tenant>` or `live`) soon, together with others; equal ones are sent once."""
        if len(self._pending) >= _MOST_PENDING or time.monotonic() < self._quiet_until:
            return
        self._pending.add(hint)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def close(self) -> None:
        """Waits for what is being sent."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def _send(self) -> None:
        while self._pending:
            message = "\n".join(self._pending)
            self._pending.clear()
            try:
                await self._redis.publish(CHANNEL, message)
            except (RedisError, OSError) as error:
                self._pending.clear()
                self._quiet_until = time.monotonic() + _QUIET_SECONDS
                _log.warning("hints_not_published", error=str(error))


def read_hints(message: bytes) -> list[tuple[str, str]]:
    """Pairs of (queue, tenant id as text); the live hint is ("live", "")."""
    return [(queue, tenant) for line in message.decode().split("\n") for queue, _, tenant in (line.partition(" "),)]
