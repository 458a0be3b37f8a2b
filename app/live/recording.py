"""Recording facts: in the transaction that makes them, so that what is shown live is what was committed."""

from dataclasses import fields
from typing import Any
from uuid import UUID

from app.core.caller import Caller
from app.core.ids import new_id
from app.live.topics import LiveEvent
from db.core.transaction import current
from db.queries.live import recording

LIVE_HINT = "live"
_ENVELOPE = {field.name for field in fields(LiveEvent)}


async def record(caller: Caller, *events: LiveEvent) -> None:
    """Writes the events, in order, into the caller's open transaction. The relay gives them their positions."""
    if not events:
        return
    await recording.insert_events(
        [
            (
                new_id(),
                event.topic,
                event.workspace_id,
                event.object_type,
                event.object_id,
                event.version,
                payload_of(event),
            )
            for event in events
        ],
        caller.now(),
    )

    async def give_hint() -> None:
        caller.resources.hints.give(LIVE_HINT)

    current().after_commit(give_hint)


def payload_of(event: LiveEvent) -> dict[str, Any]:
    """The event's own fields, JSON-ready."""
    values = {field.name: getattr(event, field.name) for field in fields(event) if field.name not in _ENVELOPE}
    return {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}
