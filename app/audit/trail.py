"""Who did what, when and from where: one entry for every change that a person or a client asks for."""

from collections.abc import Mapping
from uuid import UUID

from app.core.caller import Caller
from app.core.ids import new_id
from db.queries.audit import trail


async def audit(
    caller: Caller,
    action: str,
    *,
    object_type: str,
    object_id: UUID | None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Adds an entry inside the caller's open transaction. `action` is `noun.verb`; `details` hold no secrets."""
    await trail.insert_entry(
        new_id(),
        action=action,
        actor=caller.actor,
        target=(object_type, object_id),
        details={name: str(value) if isinstance(value, UUID) else value for name, value in (details or {}).items()},
        origin=(caller.address, caller.request_id),
        created_at=caller.now(),
    )
