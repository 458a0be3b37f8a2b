"""Which mailboxes a campaign sends through, and what stands in their queues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from db.core.rows import all_rows
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class CampaignMailbox:
    """A mailbox as planning sees it; `waiting` counts all campaigns' mails in its queue."""

    mailbox_id: UUID
    state: str
    paused_at: datetime | None
    daily_cap: int
    minimum_gap_seconds: int
    sent_on: date | None
    sent_today: int
    next_send_at: datetime | None
    waiting: int


async def campaign_mailboxes(campaign_id: UUID) -> list[CampaignMailbox]:
    """By mailbox id. The queue's length comes from the counts, never from counting messages."""
    return await all_rows(
        CampaignMailbox,
        """
        SELECT m.id, m.state, m.paused_at, m.daily_cap, m.minimum_gap_seconds, r.sent_on, r.sent_today, r.next_send_at,
          (SELECT coalesce(sum(k.queued + k.deferred), 0)::int FROM campaign_mailboxes o
           JOIN campaign_counts k ON k.tenant_id = o.tenant_id AND k.campaign_id = o.campaign_id AND k.lane = o.mailbox_id
           JOIN campaigns p ON p.tenant_id = o.tenant_id AND p.id = o.campaign_id AND p.state IN ('running', 'paused')
           WHERE o.tenant_id = c.tenant_id AND o.mailbox_id = c.mailbox_id)
        FROM campaign_mailboxes c
        JOIN mailboxes m ON m.tenant_id = c.tenant_id AND m.id = c.mailbox_id
        JOIN mailbox_runs r ON r.tenant_id = c.tenant_id AND r.mailbox_id = c.mailbox_id
        WHERE c.tenant_id = $1 AND c.campaign_id = $2
        ORDER BY c.mailbox_id
        """,
        current().tenant_id,
        campaign_id,
    )


async def mailbox_ids(campaign_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The mailboxes of each campaign, by id."""
    found: dict[UUID, list[UUID]] = {campaign_id: [] for campaign_id in campaign_ids}
    for row in await current().fetch(
        "SELECT campaign_id, mailbox_id FROM campaign_mailboxes WHERE tenant_id = $1 AND campaign_id = ANY ($2::uuid[]) "
        "ORDER BY campaign_id, mailbox_id",
        current().tenant_id,
        list(campaign_ids),
    ):
        found[row["campaign_id"]].append(row["mailbox_id"])
    return found


async def replace_mailboxes(campaign_id: UUID, mailbox_ids: Sequence[UUID]) -> None:
    await current().execute(
        "DELETE FROM campaign_mailboxes WHERE tenant_id = $1 AND campaign_id = $2", current().tenant_id, campaign_id
    )
    await current().execute(
        "INSERT INTO campaign_mailboxes (tenant_id, campaign_id, mailbox_id) SELECT $1, $2, unnest($3::uuid[])",
        current().tenant_id,
        campaign_id,
        sorted(set(mailbox_ids)),
    )


async def running_campaigns(mailbox_id: UUID) -> list[UUID]:
    """The running campaigns that may send through this mailbox."""
    rows = await current().fetch(
        "SELECT c.id FROM campaign_mailboxes m JOIN campaigns c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id "
        "WHERE m.tenant_id = $1 AND m.mailbox_id = $2 AND c.state = 'running' ORDER BY c.id",
        current().tenant_id,
        mailbox_id,
    )
    return [row["id"] for row in rows]
