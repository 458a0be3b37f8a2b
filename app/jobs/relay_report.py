"""What the relay last measured, left in Redis for /metrics of every API process."""

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis

KEY = "penguinmails:relay:report"
KEPT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RelayReport:
    """`jobs`: (queue, state, how many); ages and lags in seconds."""

    holder: str
    fence: int
    jobs: list[tuple[str, str, int]] = field(default_factory=list)
    oldest_due_seconds: float = 0.0
    event_lag_seconds: float = 0.0
    events_numbered: int = 0
    jobs_dispatched: int = 0


async def leave_report(redis: Redis, report: RelayReport) -> None:
    await redis.set(KEY, orjson.dumps(asdict(report)), ex=KEPT_SECONDS)


async def read_report(redis: Redis) -> RelayReport | None:
    """None when no relay has led for half a minute. Raises RedisError, OSError."""
    data = await redis.get(KEY)
    if data is None:
        return None
    values: dict[str, Any] = orjson.loads(data)
    return RelayReport(**values | {"jobs": [(queue, state, count) for queue, state, count in values["jobs"]]})
