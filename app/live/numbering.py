"""Gives committed events their positions and publishes them: a bounded Redis Stream per tenant, whose entry ids are positions.

An entry id must rise, so an event that is published twice after a crash is refused by Redis itself.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.live.events import encode_event
from db.core.transaction import Transaction
from db.queries.live import numbering as rows
from db.queries.live.numbering import NumberedEvent

__all__ = ["NumberedEvent", "lag_seconds", "number_events", "publish", "stream_key"]

STREAM_LENGTH = 2000
STREAM_SECONDS = 3600
FIELD = b"e"
_NOT_RISING = "equal or smaller"

Opening = Callable[[], AbstractAsyncContextManager[Transaction]]


def stream_key(tenant_id: UUID) -> str:
    return f"penguinmails:live:{tenant_id}"


async def number_events(transaction: Opening, *, limit: int) -> list[NumberedEvent]:
    """Numbers at most `limit` new events, in a transaction of the leader; by tenant and position."""
    async with transaction():
        return await rows.number_fresh(limit)


def lag_seconds(events: Sequence[NumberedEvent], now: datetime) -> float:
    """How long the oldest of the events has waited for its position."""
    return max(((now - event.created_at).total_seconds() for event in events), default=0.0)


async def publish(redis: Redis, events: Sequence[NumberedEvent]) -> None:
    """Adds the events to their tenants' streams in one round trip. Readers notice a missing one by its position.

    Raises RedisError and OSError; nothing is lost by it, readers then take the events from the table.
    """
    pipeline = redis.pipeline(transaction=False)
    for event in events:
        key = stream_key(event.tenant_id)
        pipeline.xadd(key, {FIELD: encode_event(event)}, id=f"{event.position}-0", maxlen=STREAM_LENGTH)
    for tenant_id in {event.tenant_id for event in events}:
        pipeline.expire(stream_key(tenant_id), STREAM_SECONDS)
    _raise_unexpected(await pipeline.execute(raise_on_error=False))


def _raise_unexpected(answers: Sequence[Any]) -> None:
    for answer in answers:
        if isinstance(answer, ResponseError) and _NOT_RISING in str(answer):
            continue
        if isinstance(answer, Exception):
            raise answer
