"""Recorded events of messages, added up in the OLTP tier as the rollup reads them."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from db.core.rows import all_rows
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class SendingDelta:
    """Events of one day, campaign and mailbox, within a range of positions."""

    sent_on: date
    campaign_id: UUID
    mailbox_id: UUID
    workspace_id: UUID
    sent: int
    bounced: int
    failed: int
    deferred: int
    in_doubt: int


async def last_position() -> int:
    """The tenant's newest numbered event."""
    value: int | None = await current().fetchval(
        "SELECT last_position FROM live_heads WHERE tenant_id = $1", current().tenant_id
    )
    return value or 0


async def has_unnumbered() -> bool:
    """Whether the relay has events of the tenant to number yet."""
    return bool(
        await current().fetchval(
            "SELECT EXISTS (SELECT 1 FROM live_events WHERE tenant_id = $1 AND position IS NULL)", current().tenant_id
        )
    )


async def sending_deltas(*, after: int, until: int, time_zone: str) -> list[SendingDelta]:
    """Events with after < position <= until, by the day they have in the tenant's time zone."""
    return await all_rows(
        SendingDelta,
        """
        SELECT (created_at AT TIME ZONE $4)::date, (payload->>'campaign_id')::uuid, (payload->>'mailbox_id')::uuid,
          workspace_id,
          (count(*) FILTER (WHERE topic = 'message.sent'))::int, (count(*) FILTER (WHERE topic = 'message.bounced'))::int,
          (count(*) FILTER (WHERE topic = 'message.failed'))::int, (count(*) FILTER (WHERE topic = 'message.deferred'))::int,
          (count(*) FILTER (WHERE topic = 'message.in_doubt'))::int
        FROM live_events
        WHERE tenant_id = $1 AND position > $2 AND position <= $3 AND object_type = 'Message'
          AND payload->>'mailbox_id' IS NOT NULL
          AND topic IN ('message.sent', 'message.bounced', 'message.failed', 'message.deferred', 'message.in_doubt')
        GROUP BY 1, 2, 3, 4
        """,
        current().tenant_id,
        after,
        until,
        time_zone,
    )
