"""A recorded event as readers see it, and the cursor that stands for its place."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.core.errors import BadInput, DomainError, ErrorCode
from db.queries.live.numbering import NumberedEvent

_LARGEST = 2**63 - 1


class CursorExpired(DomainError):
    """The events after this cursor are gone, or were never there: load the state anew and go on from now."""

    code = ErrorCode.CURSOR_EXPIRED

    def __init__(self) -> None:
        super().__init__("This cursor is too old: load what you show anew, then subscribe without `after`.")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """`position`: per tenant, increasing by one with each event."""

    position: int
    id: UUID
    topic: str
    workspace_id: UUID | None
    object_type: str
    object_id: UUID
    version: int
    payload: dict[str, Any]
    created_at: datetime

    @property
    def cursor(self) -> str:
        return write_cursor(self.position)

    @staticmethod
    def of(row: NumberedEvent) -> "StoredEvent":
        return StoredEvent(
            row.position,
            row.id,
            row.topic,
            row.workspace_id,
            row.object_type,
            row.object_id,
            row.version,
            row.payload,
            row.created_at,
        )


def write_cursor(position: int) -> str:
    return urlsafe_b64encode(f"e:{position}".encode()).rstrip(b"=").decode()


def read_cursor(cursor: str) -> int:
    """The position inside. Raises BadInput when write_cursor cannot have made it."""
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (UnicodeError, binascii.Error):
        raise _bad_cursor() from None
    digits = text.removeprefix("e:")
    if not text.startswith("e:") or not digits.isdecimal() or len(digits) > 19:
        raise _bad_cursor()
    position = int(digits)
    if position > _LARGEST or write_cursor(position) != cursor:
        raise _bad_cursor()
    return position


def _bad_cursor() -> BadInput:
    return BadInput("`after` is no cursor of an event: hand back a `cursor` as it was given.")


def encode_event(row: NumberedEvent) -> bytes:
    """For the tenant's Redis Stream. Ids as text: orjson does not know asyncpg's own UUID."""
    return orjson.dumps(
        [
            row.position,
            str(row.id),
            row.topic,
            None if row.workspace_id is None else str(row.workspace_id),
            row.object_type,
            str(row.object_id),
            row.version,
            row.payload,
            row.created_at,
        ]
    )


def decode_event(data: bytes) -> StoredEvent:
    position, event_id, topic, workspace, object_type, object_id, version, payload, created_at = orjson.loads(data)
    return StoredEvent(
        position,
        UUID(event_id),
        topic,
        None if workspace is None else UUID(workspace),
        object_type,
        UUID(object_id),
        version,
        payload,
        datetime.fromisoformat(created_at),
    )
