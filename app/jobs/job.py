"""A job is durable work: a frozen dataclass of ids and small values, declared once with where and how it runs."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar, get_type_hints
from uuid import UUID

import orjson

PAYLOAD_LIMIT_BYTES = 1024


class Priority(IntEnum):
    """Lower is sooner."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Where and how a kind of job runs. `retry_delay_seconds` doubles with each attempt, with jitter, up to the cap."""

    name: str
    queue: str
    priority: Priority = Priority.NORMAL
    attempts: int = 5
    timeout_seconds: int = 60
    retry_delay_seconds: float = 2.0
    retry_cap_seconds: float = 300.0


class Job:
    """Base of every job dataclass."""

    __slots__ = ()


JobType = TypeVar("JobType", bound=type[Job])


class PayloadTooLarge(ValueError):
    """A job carries ids, not data: over 1 KB of payload is a mistake of its author."""


def job(name: str, *, queue: str, **how: Any) -> Callable[[JobType], JobType]:
    """Declares a job dataclass: `@job("mailbox.send_due", queue="sending", attempts=5, timeout_seconds=120)`."""
    spec = JobSpec(name, queue, **how)

    def declare(cls: JobType) -> JobType:
        cls.spec = spec  # type: ignore[attr-defined]
        return cls

    return declare


def spec_of(kind: type[Job] | Job) -> JobSpec:
    """How this kind of job runs. Raises AttributeError when it was not declared by @job."""
    return kind.spec  # type: ignore[union-attr, no-any-return]


def to_payload(value: Job) -> dict[str, Any]:
    """JSON-ready values by field name. Raises PayloadTooLarge."""
    payload: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]
        item = getattr(value, field.name)
        payload[field.name] = str(item) if isinstance(item, UUID) else item
    if len(orjson.dumps(payload)) > PAYLOAD_LIMIT_BYTES:
        raise PayloadTooLarge(f"{spec_of(value).name} carries more than {PAYLOAD_LIMIT_BYTES} bytes")
    return payload


def from_payload(kind: type[Job], payload: dict[str, Any]) -> Job:
    """The inverse of to_payload. Raises TypeError when the fields do not fit, as after an incompatible deploy."""
    hashable: Any = kind
    hints = _hints_of(hashable)
    return kind(**{name: _restore(hints[name], value) for name, value in payload.items() if name in hints})


@cache
def _hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _restore(hint: Any, value: Any) -> Any:
    if value is None or not isinstance(value, str):
        return value
    if hint is UUID or hint == (UUID | None):
        return UUID(value)
    if hint is datetime or hint == (datetime | None):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if hint is date else value
