"""Campaigns: writing them, and pausing, resuming, cancelling and archiving them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import Invalid, LimitReached, NotFound, Required, TooLong
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.jobs.outbox import enqueue
from app.outreach.access import open_workspace, reach
from app.outreach.campaign_completion import complete_locked, record_campaign
from app.outreach.jobs import CancelWaiting, EnrollList, HoldCampaign, PlanCampaign
from app.outreach.rules.campaign_states import CampaignState, CampaignVerb, check_verb
from db.queries.outreach import campaign_mailboxes, mailboxes
from db.queries.outreach import campaigns as query
from db.queries.outreach.campaigns import Campaign, Variant

__all__ = ["Campaign", "Variant"]
LONGEST_NAME = 120
MOST_VARIANTS = 20
MOST_MAILBOXES = 200
LARGEST_WEIGHT = 1_000


@dataclass(frozen=True, slots=True)
class VariantChoice:
    """A template with its share among the variants."""

    template_id: UUID
    weight: int = 1


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """What a person fills in. In a change, None leaves a value as it is."""

    name: str | None = None
    list_id: UUID | None = None
    mailbox_ids: Sequence[UUID] | None = None
    variants: Sequence[VariantChoice] | None = None


@requires(Permission.CAMPAIGNS_WRITE)
async def create_campaign(caller: Caller, workspace_id: UUID, draft: CampaignDraft) -> Campaign:
    """A draft. Raises Required, TooLong, Invalid, LimitReached, NotFound, Forbidden."""
    campaign_id, now = new_id(), caller.now()
    campaign = Campaign(
        tenant_id=caller.tenant_id,
        id=campaign_id,
        workspace_id=workspace_id,
        name=_checked_name(draft.name or ""),
        state=CampaignState.DRAFT,
        list_id=draft.list_id,
        postal_address=None,
        enrolled_until=None,
        enrolling=False,
        launched_at=None,
        paused_at=None,
        completed_at=None,
        cancelled_at=None,
        archived_at=None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    async with caller.transaction():
        await open_workspace(caller, workspace_id, Permission.CAMPAIGNS_WRITE)
        await query.insert_campaign(campaign)
        await query.insert_step(new_id(), campaign_id, 1)
        await _write_parts(campaign, draft)
        await _changed(caller, campaign, "campaign.create")
    return campaign


@requires(Permission.CAMPAIGNS_WRITE)
async def update_campaign(caller: Caller, campaign_id: UUID, draft: CampaignDraft) -> Campaign:
    """The name at any time; list, mailboxes and variants of a draft only. Raises as create_campaign, and WrongState."""
    async with caller.transaction():
        campaign = await locked(caller, campaign_id, Permission.CAMPAIGNS_WRITE)
        if any(part is not None for part in (draft.list_id, draft.mailbox_ids, draft.variants)):
            check_verb(CampaignState(campaign.state), CampaignVerb.EDIT)
        changed = replace(
            campaign,
            name=campaign.name if draft.name is None else _checked_name(draft.name),
            list_id=campaign.list_id if draft.list_id is None else draft.list_id,
        )
        await _write_parts(changed, draft)
        return await _move(caller, changed, "campaign.update")


@requires(Permission.CAMPAIGNS_LAUNCH)
async def pause_campaign(caller: Caller, campaign_id: UUID) -> Campaign:
    """Nothing more leaves, not even what is claimed. Raises NotFound, WrongState."""
    async with caller.transaction():
        campaign = await _locked_for(caller, campaign_id, CampaignVerb.PAUSE)
        await enqueue(caller, HoldCampaign(campaign_id), dedupe_key=f"hold_campaign:{campaign_id}")
        paused = replace(campaign, state=CampaignState.PAUSED, paused_at=caller.now())
        return await _move(caller, paused, "campaign.pause")


@requires(Permission.CAMPAIGNS_LAUNCH)
async def resume_campaign(caller: Caller, campaign_id: UUID) -> Campaign:
    """Raises NotFound, WrongState."""
    async with caller.transaction():
        campaign = await _locked_for(caller, campaign_id, CampaignVerb.RESUME)
        await enqueue(caller, PlanCampaign(campaign_id), dedupe_key=f"plan_campaign:{campaign_id}")
        if campaign.enrolling:
            await enqueue(caller, EnrollList(campaign_id), dedupe_key=f"enroll_list:{campaign_id}")
        resumed = await _move(caller, replace(campaign, state=CampaignState.RUNNING, paused_at=None), "campaign.resume")
        await complete_locked(caller, resumed)
        return await query.campaign_by_id(campaign_id) or resumed


@requires(Permission.CAMPAIGNS_LAUNCH)
async def cancel_campaign(caller: Caller, campaign_id: UUID) -> Campaign:
    """For good: what has not left is cancelled, claimed mails too. Raises NotFound, WrongState."""
    async with caller.transaction():
        campaign = await _locked_for(caller, campaign_id, CampaignVerb.CANCEL)
        await enqueue(caller, CancelWaiting(campaign_id), dedupe_key=f"cancel_waiting:{campaign_id}")
        cancelled = replace(campaign, state=CampaignState.CANCELLED, cancelled_at=caller.now(), enrolling=False)
        return await _move(caller, cancelled, "campaign.cancel")


@requires(Permission.CAMPAIGNS_WRITE)
async def archive_campaign(caller: Caller, campaign_id: UUID) -> Campaign:
    """Out of the lists; nothing is lost. Archiving twice changes nothing. Raises NotFound, WrongState."""
    async with caller.transaction():
        campaign = await locked(caller, campaign_id, Permission.CAMPAIGNS_WRITE)
        check_verb(CampaignState(campaign.state), CampaignVerb.ARCHIVE)
        if campaign.archived_at is not None:
            return campaign
        return await _move(caller, replace(campaign, archived_at=caller.now()), "campaign.archive")


async def locked(caller: Caller, campaign_id: UUID, permission: Permission) -> Campaign:
    """Inside the caller's transaction. Raises NotFound, Forbidden."""
    found = await query.lock_campaign(campaign_id)
    return reach(caller, found, permission, noun="campaign", field="campaignId")


async def _locked_for(caller: Caller, campaign_id: UUID, verb: CampaignVerb) -> Campaign:
    campaign = await locked(caller, campaign_id, Permission.CAMPAIGNS_LAUNCH)
    check_verb(CampaignState(campaign.state), verb)
    return campaign


async def _move(caller: Caller, changed: Campaign, action: str) -> Campaign:
    changed = replace(changed, version=changed.version + 1, updated_at=caller.now())
    await query.update_campaign(changed)
    await _changed(caller, changed, action)
    return changed


async def _changed(caller: Caller, campaign: Campaign, action: str) -> None:
    await record_campaign(caller, campaign)
    await audit(caller, action, object_type="Campaign", object_id=campaign.id, details={"name": campaign.name})


async def _write_parts(campaign: Campaign, draft: CampaignDraft) -> None:
    """Inside the transaction: what a draft names must exist in the campaign's own workspace."""
    if draft.list_id is not None and not await query.list_exists(campaign.workspace_id, draft.list_id):
        raise NotFound("contact list", ("input", "listId"))
    if draft.mailbox_ids is not None:
        await _write_mailboxes(campaign, draft.mailbox_ids)
    if draft.variants is not None:
        await _write_variants(campaign, draft.variants)


async def _write_mailboxes(campaign: Campaign, ids: Sequence[UUID]) -> None:
    if len(ids) > MOST_MAILBOXES:
        raise LimitReached(f"A campaign has at most {MOST_MAILBOXES} mailboxes.", ("input", "mailboxIds"))
    found = {
        row.id
        for row in await mailboxes.mailboxes_by_ids(ids)
        if row.workspace_id == campaign.workspace_id and row.state != "disconnected"
    }
    if not found >= set(ids):
        raise NotFound("mailbox", ("input", "mailboxIds"))
    await campaign_mailboxes.replace_mailboxes(campaign.id, ids)


async def _write_variants(campaign: Campaign, variants: Sequence[VariantChoice]) -> None:
    if len(variants) > MOST_VARIANTS:
        raise LimitReached(f"A campaign has at most {MOST_VARIANTS} variants.", ("input", "variants"))
    if any(not 1 <= each.weight <= LARGEST_WEIGHT for each in variants):
        raise Invalid(f"A weight is a number from 1 to {LARGEST_WEIGHT}.", ("input", "variants"))
    wanted = {each.template_id for each in variants}
    if await query.usable_templates(campaign.workspace_id, sorted(wanted)) != wanted:
        raise NotFound("template", ("input", "variants"))
    step_id = await query.first_step_id(campaign.id)
    await query.replace_variants(step_id, [(new_id(), each.template_id, each.weight) for each in variants])


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise Required("Give the campaign a name.", ("input", "name"))
    if len(name) > LONGEST_NAME:
        raise TooLong(f"The name may have at most {LONGEST_NAME} characters.", ("input", "name"))
    return name
