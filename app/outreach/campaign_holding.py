"""Taking waiting mails back in batches: of a paused campaign, of a cancelled one, of a mailbox that stopped."""

from collections.abc import Sequence
from uuid import UUID

from app.core.caller import Caller
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.live.topics import CampaignProgressed
from app.outreach.campaigns import Campaign
from app.outreach.cancelling import cancel_locked, unassign_locked
from app.outreach.jobs import PlanCampaign
from app.outreach.rules.campaign_states import CampaignState
from app.outreach.rules.mailbox_states import MailboxState, may_send
from app.outreach.rules.message_states import Count
from db.queries.outreach import campaign_counts, campaign_mailboxes, enrollments, mailboxes, message_queue
from db.queries.outreach import campaigns as query

BATCH = 1_000
ENROLLMENT_BATCH = 5_000
_CANCELLED = "The campaign was cancelled before the mail left."


async def hold_campaign(caller: Caller, campaign_id: UUID) -> None:
    """Job: while the campaign is paused, its waiting mails leave the mailboxes' queues, so that others' go on."""
    while await _hold_batch(caller, campaign_id):
        pass


async def _hold_batch(caller: Caller, campaign_id: UUID) -> bool:
    async with caller.transaction():
        campaign = await query.lock_campaign(campaign_id)
        if campaign is None or campaign.state != CampaignState.PAUSED:
            return False
        queued = await message_queue.lock_queued_of_campaign(campaign_id, BATCH)
        await unassign_locked(queued)
        await _tell(caller, campaign, "held", len(queued))
        return len(queued) == BATCH


async def cancel_waiting(caller: Caller, campaign_id: UUID) -> None:
    """Job: what a cancelled campaign has not sent is cancelled, messages first, then contacts without a message."""
    while await _cancel_batch(caller, campaign_id):
        pass
    while await _cancel_enrollments(caller, campaign_id):
        pass


async def _cancel_batch(caller: Caller, campaign_id: UUID) -> bool:
    async with caller.transaction():
        campaign = await query.lock_campaign(campaign_id)
        if campaign is None or campaign.state != CampaignState.CANCELLED:
            return False
        waiting = await message_queue.lock_waiting_of_campaign(campaign_id, BATCH)
        await cancel_locked(caller, waiting, reason=_CANCELLED, suppressed=False)
        return len(waiting) == BATCH


async def _cancel_enrollments(caller: Caller, campaign_id: UUID) -> bool:
    async with caller.transaction():
        campaign = await query.lock_campaign(campaign_id)
        if campaign is None or campaign.state != CampaignState.CANCELLED:
            return False
        cancelled = await enrollments.cancel_waiting_enrollments(campaign_id, ENROLLMENT_BATCH)
        has_more = cancelled == ENROLLMENT_BATCH
        gone = cancelled if has_more else await campaign_counts.waiting(campaign_id)
        change: dict[str, int] = {Count.WAITING: -gone, Count.CANCELLED: gone}
        await campaign_counts.add_counts(campaign_id, {campaign_id: change})
        await _tell(caller, campaign, "cancelled", gone)
        return has_more


async def release_mailbox_queue(caller: Caller, mailbox_id: UUID) -> None:
    """Job: a mailbox that may not send gives its queue back, and its campaigns are planned again without it."""
    while await _release_batch(caller, mailbox_id):
        pass


async def _release_batch(caller: Caller, mailbox_id: UUID) -> bool:
    async with caller.transaction():
        mailbox = await mailboxes.lock_mailbox(mailbox_id)
        if mailbox is None or may_send(MailboxState(mailbox.state), mailbox.paused_at):
            return False
        queued = await message_queue.lock_queued_of_mailbox(mailbox_id, BATCH)
        await unassign_locked(queued)
        await _plan_again(caller, await campaign_mailboxes.running_campaigns(mailbox_id))
        return len(queued) == BATCH


async def _plan_again(caller: Caller, campaign_ids: Sequence[UUID]) -> None:
    for campaign_id in campaign_ids:
        await enqueue(caller, PlanCampaign(campaign_id), dedupe_key=f"plan_campaign:{campaign_id}")


async def _tell(caller: Caller, campaign: Campaign, what: str, count: int) -> None:
    if count == 0:
        return
    version = await query.raise_version(campaign.id)
    event = CampaignProgressed(
        workspace_id=campaign.workspace_id, object_id=campaign.id, version=version, what=what, count=count
    )
    await record(caller, event)
