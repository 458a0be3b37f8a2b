"""How many of a campaign's contacts stand where. Changed in the transaction of the fact; read by summing a few rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.core.rows import all_rows
from db.core.transaction import current

NAMES = ("waiting", "queued", "deferred", "sent", "bounced", "failed", "in_doubt", "cancelled", "suppressed")
_SUMS = ", ".join(f"coalesce(sum({name}), 0)::int" for name in NAMES)


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """`waiting` contacts have no message yet; `queued` messages include the one that is being submitted."""

    campaign_id: UUID
    waiting: int
    queued: int
    deferred: int
    sent: int
    bounced: int
    failed: int
    in_doubt: int
    cancelled: int
    suppressed: int

    @property
    def enrolled(self) -> int:
        left = self.waiting + self.queued + self.deferred + self.in_doubt
        return left + self.sent + self.bounced + self.failed + self.cancelled + self.suppressed

    @property
    def unsettled(self) -> int:
        """What may still be sent by itself; messages in doubt are not."""
        return self.waiting + self.queued + self.deferred


async def counts(campaign_ids: Sequence[UUID]) -> dict[UUID, CampaignCounts]:
    """Of each campaign, all zero where nothing was counted yet."""
    found = {
        row.campaign_id: row
        for row in await all_rows(
            CampaignCounts,
            f"SELECT campaign_id, {_SUMS} FROM campaign_counts "
            "WHERE tenant_id = $1 AND campaign_id = ANY ($2::uuid[]) GROUP BY campaign_id",
            current().tenant_id,
            list(campaign_ids),
        )
    }
    return {each: found.get(each) or CampaignCounts(each, *(0 for _ in NAMES)) for each in campaign_ids}


async def add_counts(campaign_id: UUID, changes: Mapping[UUID, Mapping[str, int]]) -> None:
    """`changes` by lane (a mailbox's id, or the campaign's own), then by count. Locks the rows in the lanes' order."""
    for lane in sorted(changes):
        deltas = [changes[lane].get(name, 0) for name in NAMES]
        if not any(deltas):
            continue
        await current().execute(
            f"INSERT INTO campaign_counts AS k (tenant_id, campaign_id, lane, {', '.join(NAMES)}) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (tenant_id, campaign_id, lane) "
            f"DO UPDATE SET {', '.join(f'{name} = k.{name} + EXCLUDED.{name}' for name in NAMES)}",
            current().tenant_id,
            campaign_id,
            lane,
            *deltas,
        )


@dataclass(frozen=True, slots=True)
class RateLane:
    """Sent mails of one lane by windows of RATE_WINDOW_SECONDS: in the window `number`, and in the one before it."""

    campaign_id: UUID
    number: int
    sent: int
    before: int


async def rate_lanes(campaign_ids: Sequence[UUID], *, since: int) -> list[RateLane]:
    """The lanes in which something was sent in the window `since` or later."""
    return await all_rows(
        RateLane,
        "SELECT campaign_id, rate_window, rate_sent, rate_before FROM campaign_counts "
        "WHERE tenant_id = $1 AND campaign_id = ANY ($2::uuid[]) AND rate_window >= $3",
        current().tenant_id,
        list(campaign_ids),
        since,
    )


async def unassigned(campaign_id: UUID) -> int:
    """Planned messages that no mailbox holds."""
    return await _own_lane(campaign_id, "queued")


async def waiting(campaign_id: UUID) -> int:
    """Contacts that have no message yet."""
    return await _own_lane(campaign_id, "waiting")


async def _own_lane(campaign_id: UUID, name: str) -> int:
    value: int | None = await current().fetchval(
        f"SELECT {name} FROM campaign_counts WHERE tenant_id = $1 AND campaign_id = $2 AND lane = $2",
        current().tenant_id,
        campaign_id,
    )
    return value or 0
