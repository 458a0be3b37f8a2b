"""Reading live events by position, and where a tenant's events begin and end."""

from dataclasses import dataclass
from uuid import UUID

from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current
from db.queries.live.numbering import NumberedEvent


@dataclass(frozen=True, slots=True)
class Bounds:
    """Positions up to and including `expired_position` are gone; `last_position` is the newest."""

    last_position: int
    expired_position: int


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What the database leaves out already; None and empty leave out nothing. `whole`: see app.live.watching.Only."""

    topics: tuple[str, ...] = ()
    workspace_id: UUID | None = None
    object_id: UUID | None = None
    whole: tuple[str, UUID] | None = None

    @property
    def is_of_campaign(self) -> bool:
        """Then an index leads to the events that fit, however many others there are."""
        return self.whole is not None and self.whole[0] == "campaign_id"


_OF_WHOLE = "($8::text IS NULL OR object_id = $9 OR payload ->> $8 = $9::text)"
_OF_CAMPAIGN = "$8::text IS NOT NULL AND campaign_id = $9::uuid"


async def bounds() -> Bounds:
    row = await one_row(Bounds, f"SELECT {columns(Bounds)} FROM live_heads WHERE tenant_id = $1", current().tenant_id)
    return row or Bounds(0, 0)


async def events_after(
    position: int, *, up_to: int, limit: int, only: EventFilter | None = None
) -> list[NumberedEvent]:
    """Events with `position` < their position <= `up_to`, in order."""
    only = only or EventFilter()
    field, whole_id = only.whole or (None, None)
    return await all_rows(
        NumberedEvent,
        f"""
        SELECT {columns(NumberedEvent)} FROM live_events
        WHERE tenant_id = $1 AND position > $2 AND position <= $3
          AND ($5::text[] IS NULL OR topic = ANY($5)) AND ($6::uuid IS NULL OR workspace_id = $6)
          AND ($7::uuid IS NULL OR object_id = $7)
          AND {_OF_CAMPAIGN if only.is_of_campaign else _OF_WHOLE}
        ORDER BY position LIMIT $4
        """,
        current().tenant_id,
        position,
        up_to,
        limit,
        list(only.topics) or None,
        only.workspace_id,
        only.object_id,
        field,
        whole_id,
    )
