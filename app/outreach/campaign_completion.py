"""When a campaign is complete: the whole list is enrolled, and nothing waits, is queued or is to be tried again."""

from dataclasses import replace
from uuid import UUID

from app.core.caller import Caller
from app.live.recording import record
from app.live.topics import CampaignStatusChanged
from app.outreach.rules.campaign_states import CampaignState
from db.queries.outreach import campaign_counts, campaign_mailboxes, campaigns
from db.queries.outreach.campaigns import Campaign


async def complete_finished_campaigns(caller: Caller, mailbox_id: UUID) -> None:
    """Of those that send through the mailbox. In transactions of its own."""
    async with caller.transaction(read_only=True):
        running = await campaign_mailboxes.running_campaigns(mailbox_id)
        counts = await campaign_counts.counts(running)
    for campaign_id in running:
        if counts[campaign_id].unsettled == 0:
            await complete_campaign(caller, campaign_id)


async def complete_campaign(caller: Caller, campaign_id: UUID) -> bool:
    """Completes it if it is finished; in a transaction of its own, with the campaign locked. False when it is not."""
    async with caller.transaction():
        campaign = await campaigns.lock_campaign(campaign_id)
        return campaign is not None and await complete_locked(caller, campaign)


async def complete_locked(caller: Caller, campaign: Campaign) -> bool:
    """Inside the caller's transaction. Messages in doubt do not keep a campaign open; they are shown and counted."""
    if campaign.state != CampaignState.RUNNING or campaign.enrolling:
        return False
    counts = await campaign_counts.counts([campaign.id])
    if counts[campaign.id].unsettled > 0:
        return False
    now = caller.now()
    completed = replace(
        campaign, state=CampaignState.COMPLETED, completed_at=now, version=campaign.version + 1, updated_at=now
    )
    await campaigns.update_campaign(completed)
    await record_campaign(caller, completed)
    return True


async def record_campaign(caller: Caller, campaign: Campaign) -> None:
    """Inside the caller's transaction: what watchers of the campaign are told."""
    await record(
        caller,
        CampaignStatusChanged(
            workspace_id=campaign.workspace_id,
            object_id=campaign.id,
            version=campaign.version,
            state=campaign.state,
        ),
    )
