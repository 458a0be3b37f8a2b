"""Jobs of campaigns."""

from actors.core.handler import handles
from app.core.caller import Caller
from app.outreach import campaign_holding, campaign_launch, campaign_planning
from app.outreach.jobs import CancelWaiting, EnrollList, HoldCampaign, PlanCampaign


@handles(EnrollList)
async def enroll_list(caller: Caller, job: EnrollList) -> None:
    await campaign_launch.enroll_list(caller, job.campaign_id)


@handles(PlanCampaign)
async def plan_campaign(caller: Caller, job: PlanCampaign) -> None:
    await campaign_planning.plan_campaign(caller, job.campaign_id)


@handles(HoldCampaign)
async def hold_campaign(caller: Caller, job: HoldCampaign) -> None:
    await campaign_holding.hold_campaign(caller, job.campaign_id)


@handles(CancelWaiting)
async def cancel_waiting(caller: Caller, job: CancelWaiting) -> None:
    await campaign_holding.cancel_waiting(caller, job.campaign_id)
