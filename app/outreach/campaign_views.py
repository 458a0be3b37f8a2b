"""Campaigns as people see them: with their counts, rate and parts, in lists and live."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import NotFound
from app.core.permissions import Permission
from app.core.use_case import requires, watches
from app.live.events import StoredEvent
from app.live.watching import Only, state, stream
from app.outreach.rules.sending_rate import sent_per_second, window_number
from db.core.paging import Page
from db.queries.outreach import campaign_counts, campaign_mailboxes
from db.queries.outreach import campaigns as query
from db.queries.outreach import enrollments as enrollment_query
from db.queries.outreach.campaign_counts import CampaignCounts
from db.queries.outreach.campaigns import Campaign, Variant
from db.queries.outreach.enrollments import Enrollment

__all__ = ["CampaignCounts", "Enrollment", "StoredEvent", "Variant"]


class OfCampaign(Protocol):
    """What belongs to a campaign."""

    @property
    def campaign_id(self) -> UUID: ...


Part = TypeVar("Part", bound=OfCampaign)


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with all that its page shows."""

    campaign: Campaign
    counts: CampaignCounts
    sent_per_second: float
    variants: list[Variant]
    mailbox_ids: list[UUID]

    @property
    def id(self) -> UUID:
        """For paging."""
        return self.campaign.id


@requires(Permission.CAMPAIGNS_READ)
async def campaigns(
    caller: Caller, workspace_id: UUID, *, archived: bool, first: int, after: UUID | None
) -> Page[CampaignView]:
    """Newest first; an empty page for a workspace that the caller does not see."""
    if not caller.sees(workspace_id):
        return Page([], False)
    caller.must(Permission.CAMPAIGNS_READ, workspace_id)
    async with caller.transaction(read_only=True):
        page = await query.campaigns(workspace_id, archived=archived, first=first, after=after)
        return Page(await _views(caller, page.items), page.has_next)


@requires(Permission.CAMPAIGNS_READ)
async def campaigns_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[CampaignView | None]:
    """In the order of `ids`; None for what does not exist or is not visible."""
    async with caller.transaction(read_only=True):
        rows = [row for row in await query.campaigns_by_ids(ids) if caller.sees(row.workspace_id)]
        found = {view.id: view for view in await _views(caller, rows)}
    return [found.get(each) for each in ids]


@requires(Permission.CAMPAIGNS_READ)
async def campaign_view(caller: Caller, campaign_id: UUID) -> CampaignView:
    """Raises NotFound."""
    view = (await campaigns_by_ids(caller, [campaign_id]))[0]
    if view is None:
        raise NotFound("campaign")
    return view


@requires(Permission.CAMPAIGNS_READ)
async def enrollments(caller: Caller, campaign_id: UUID, *, first: int, after: UUID | None) -> Page[Enrollment]:
    """Newest first; an empty page for a campaign that the caller does not see."""
    async with caller.transaction(read_only=True):
        campaign = await query.campaign_by_id(campaign_id)
        if campaign is None or not caller.sees(campaign.workspace_id):
            return Page([], False)
        return await enrollment_query.enrollments(campaign_id, first=first, after=after)


@watches(Permission.CAMPAIGNS_READ)
async def campaign_status(caller: Caller, campaign_id: UUID) -> AsyncGenerator[CampaignView, None]:
    """The campaign now and after changes, at most once a second; last wins. Raises NotFound."""
    load = partial(campaign_view, campaign_id=campaign_id)
    only = Only(whole=("campaign_id", campaign_id))
    async with aclosing(state(caller, only=only, load=load, permission=Permission.CAMPAIGNS_READ)) as values:
        async for value in values:
            yield value


@watches(Permission.CAMPAIGNS_READ)
async def campaign_events(caller: Caller, campaign_id: UUID, *, after: str | None) -> AsyncGenerator[StoredEvent, None]:
    """Every event of the campaign and of its messages, once and in order. Raises NotFound, CursorExpired, BadInput."""
    await campaign_view(caller, campaign_id)
    only = Only(whole=("campaign_id", campaign_id))
    async with aclosing(stream(caller, after=after, only=only, permission=Permission.CAMPAIGNS_READ)) as events:
        async for event in events:
            yield event


async def _views(caller: Caller, rows: Sequence[Campaign]) -> list[CampaignView]:
    """Inside an open transaction: four statements, however many campaigns."""
    if not rows:
        return []
    ids, now = [row.id for row in rows], caller.now()
    counts = await campaign_counts.counts(ids)
    lanes = await campaign_counts.rate_lanes(ids, since=window_number(now) - 1)
    variants = await query.variants(ids)
    boxes = await campaign_mailboxes.mailbox_ids(ids)
    lanes_of, variants_of = _by_campaign(lanes), _by_campaign(variants)
    return [
        CampaignView(
            campaign=row,
            counts=counts[row.id],
            sent_per_second=round(sent_per_second(lanes_of[row.id], now), 1) if row.id in lanes_of else 0.0,
            variants=variants_of.get(row.id, []),
            mailbox_ids=boxes[row.id],
        )
        for row in rows
    ]


def _by_campaign(parts: Sequence[Part]) -> dict[UUID, list[Part]]:
    found: dict[UUID, list[Part]] = {}
    for each in parts:
        found.setdefault(each.campaign_id, []).append(each)
    return found
