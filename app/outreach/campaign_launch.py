"""Launching a campaign, and enrolling its list batch by batch."""

import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.live.topics import CampaignProgressed
from app.outreach.campaign_completion import complete_locked, record_campaign
from app.outreach.campaigns import Campaign, locked
from app.outreach.jobs import EnrollList, PlanCampaign
from app.outreach.launch_fields import lacking_fields
from app.outreach.rules.campaign_states import (
    CampaignState,
    CampaignVerb,
    LaunchFacts,
    check_launch,
    check_verb,
)
from app.outreach.rules.mailbox_states import MailboxState, may_send
from app.outreach.rules.message_states import Count
from db.queries.identity import tenants
from db.queries.outreach import campaign_counts, campaign_mailboxes, enrollments
from db.queries.outreach import campaigns as query
from db.queries.outreach.campaign_mailboxes import CampaignMailbox

ENROLL_BATCH = 10_000
_WORK_SECONDS = 60.0
_ENROLLS = frozenset({CampaignState.RUNNING, CampaignState.PAUSED})


@requires(Permission.CAMPAIGNS_LAUNCH)
async def launch_campaign(caller: Caller, campaign_id: UUID) -> Campaign:
    """Freezes template versions and postal address, and enqueues the enrolment of the list.

    Raises Problems with every reason that stands against it, WrongState, NotFound, Forbidden.
    """
    lacking = await lacking_fields(caller, campaign_id)
    async with caller.transaction():
        campaign = await locked(caller, campaign_id, Permission.CAMPAIGNS_LAUNCH)
        check_verb(CampaignState(campaign.state), CampaignVerb.LAUNCH)
        settings = await tenants.settings()
        if settings is None:
            raise NotFound("tenant")
        check_launch(replace(await _facts(campaign, settings.postal_address), lacking=lacking))
        now = caller.now()
        launched = replace(
            campaign,
            state=CampaignState.RUNNING,
            postal_address=settings.postal_address.strip(),
            enrolling=True,
            launched_at=now,
            version=campaign.version + 1,
            updated_at=now,
        )
        await query.freeze_versions(campaign_id)
        await query.update_campaign(launched)
        await enqueue(caller, EnrollList(campaign_id), dedupe_key=f"enroll_list:{campaign_id}")
        await record_campaign(caller, launched)
        await audit(
            caller, "campaign.launch", object_type="Campaign", object_id=campaign_id, details={"name": campaign.name}
        )
        return launched


async def _facts(campaign: Campaign, postal_address: str) -> LaunchFacts:
    variants = await query.variants([campaign.id])
    usable = await query.usable_templates(campaign.workspace_id, [each.template_id for each in variants])
    boxes = await campaign_mailboxes.campaign_mailboxes(campaign.id)
    list_exists = await query.list_exists(campaign.workspace_id, campaign.list_id)
    return LaunchFacts(
        postal_address=postal_address,
        list_exists=list_exists,
        list_members=list_exists and await query.list_has_members(campaign.list_id),
        variants=len(variants),
        usable_variants=sum(each.template_id in usable for each in variants),
        mailboxes=len(boxes),
        verified_mailboxes=len(_verified(boxes)),
        sending_mailboxes=sum(may_send(MailboxState(each.state), each.paused_at) for each in boxes),
    )


def _verified(boxes: Sequence[CampaignMailbox]) -> list[CampaignMailbox]:
    return [each for each in boxes if each.state == MailboxState.VERIFIED]


async def enroll_list(caller: Caller, campaign_id: UUID) -> None:
    """Job: enrols the list in batches of 10,000, each in a transaction of its own that also moves the mark.

    Continues where it was killed, enrols nobody twice, stops when the campaign is cancelled.
    """
    ends_at = time.monotonic() + _WORK_SECONDS
    while await _enroll_batch(caller, campaign_id):
        if time.monotonic() > ends_at:
            async with caller.transaction():
                await enqueue(caller, EnrollList(campaign_id), dedupe_key=f"enroll_list:{campaign_id}")
            return


async def _enroll_batch(caller: Caller, campaign_id: UUID) -> bool:
    """False when nothing is left to enrol."""
    ids = [new_id() for _ in range(ENROLL_BATCH)]
    async with caller.transaction():
        campaign = await query.lock_campaign(campaign_id)
        if campaign is None or not campaign.enrolling or CampaignState(campaign.state) not in _ENROLLS:
            return False
        assert campaign.list_id is not None
        batch = await enrollments.enroll_batch(
            campaign_id, campaign.list_id, after=campaign.enrolled_until, ids=ids, at=caller.now()
        )
        has_more = batch.members == ENROLL_BATCH
        version = await enrollments.move_enrollment(campaign_id, until=batch.last, enrolling=has_more)
        change: dict[str, int] = {Count.WAITING: batch.waiting, Count.SUPPRESSED: batch.suppressed}
        await campaign_counts.add_counts(campaign_id, {campaign_id: change})
        event = CampaignProgressed(
            workspace_id=campaign.workspace_id,
            object_id=campaign_id,
            version=version,
            what="enrolled",
            count=batch.waiting + batch.suppressed,
        )
        await record(caller, event)
        if campaign.state == CampaignState.RUNNING:
            await enqueue(caller, PlanCampaign(campaign_id), dedupe_key=f"plan_campaign:{campaign_id}")
            await complete_locked(caller, replace(campaign, enrolling=has_more, version=version))
    return has_more
