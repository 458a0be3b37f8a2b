"""Invitations, as workers send them."""

from actors.core.handler import handles
from app.core.caller import Caller
from app.identity import invitations
from app.identity.jobs import SendInvitation


@handles(SendInvitation)
async def send_invitation(caller: Caller, job: SendInvitation) -> None:
    await invitations.send_invitation(caller, job.invitation_id)
