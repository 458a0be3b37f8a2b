"""Jobs that feed the OLAP tier."""

from actors.core.handler import handles
from app.analytics import sending_rollups
from app.core.caller import Caller
from app.outreach.jobs import RollUpSending


@handles(RollUpSending)
async def roll_up_sending(caller: Caller, job: RollUpSending) -> None:
    await sending_rollups.roll_up_sending(caller)
