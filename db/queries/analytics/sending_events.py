"""Recorded events of messages, added up in the OLTP tier as the rollup reads them."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from db.core.rows import all_rows
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class SendingDelta:
    """What the events of a range of positions add to one day, campaign and mailbox."""

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


# An event that follows a doubt settles it: it takes the doubt back from the mailbox and the day on which the mail was
# handed over, and what became of the mail belongs there too.
_DELTAS = """
WITH events AS (
  SELECT e.topic, e.created_at AS at, e.workspace_id, (e.payload->>'campaign_id')::uuid AS campaign_id,
    (e.payload->>'mailbox_id')::uuid AS mailbox_id, doubt.at AS doubt_at, doubt.mailbox_id AS doubt_mailbox_id
  FROM live_events e
  LEFT JOIN LATERAL (
    SELECT p.topic, p.created_at AS at, (p.payload->>'mailbox_id')::uuid AS mailbox_id FROM live_events p
    WHERE p.tenant_id = $1 AND p.object_id = e.object_id AND p.position < e.position
    ORDER BY p.position DESC LIMIT 1) doubt ON doubt.topic = 'message.in_doubt'
  WHERE e.tenant_id = $1 AND e.position > $2 AND e.position <= $3 AND e.object_type = 'Message'),
marks AS (
  SELECT coalesce(doubt_at, at) AS at, campaign_id, coalesce(doubt_mailbox_id, mailbox_id) AS mailbox_id, workspace_id,
    topic, 1 AS n FROM events
  UNION ALL
  SELECT doubt_at, campaign_id, doubt_mailbox_id, workspace_id, 'message.in_doubt', -1 FROM events
  WHERE doubt_at IS NOT NULL)
SELECT (at AT TIME ZONE $4)::date, campaign_id, mailbox_id, workspace_id,
  coalesce(sum(n) FILTER (WHERE topic = 'message.sent'), 0)::int,
  coalesce(sum(n) FILTER (WHERE topic = 'message.bounced'), 0)::int,
  coalesce(sum(n) FILTER (WHERE topic = 'message.failed'), 0)::int,
  coalesce(sum(n) FILTER (WHERE topic = 'message.deferred'), 0)::int,
  coalesce(sum(n) FILTER (WHERE topic = 'message.in_doubt'), 0)::int
FROM marks
WHERE mailbox_id IS NOT NULL
  AND topic IN ('message.sent', 'message.bounced', 'message.failed', 'message.deferred', 'message.in_doubt')
GROUP BY 1, 2, 3, 4
"""


async def sending_deltas(*, after: int, until: int, time_zone: str) -> list[SendingDelta]:
    """Events with after < position <= until, by the day they have in the tenant's time zone.

    What settles a doubt counts on the doubt's day, and takes one doubt away there: counts may be negative. A doubt whose
    event has expired is not found any more, and stays counted.
    """
    return await all_rows(SendingDelta, _DELTAS, current().tenant_id, after, until, time_zone)
