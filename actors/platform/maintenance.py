"""Runs each tenant's daily clean-up."""

from actors.core.handler import handles
from app.core.caller import Caller
from app.jobs import maintenance
from app.jobs.maintenance import MaintainTenant


@handles(MaintainTenant)
async def maintain_tenant(caller: Caller, job: MaintainTenant) -> None:
    await maintenance.maintain_tenant(caller)
