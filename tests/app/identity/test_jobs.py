"""Each of identity's jobs has one handler, which sends one mail."""

import actors.identity
from actors.core.handler import gather_handlers
from app.core.caller import job_caller
from app.core.permissions import TenantRole
from app.identity.invitations import invite_member
from app.identity.jobs import (
    SendInvitation,
    SendPasswordChanged,
    SendPasswordReset,
    SendTotpChanged,
    SendVerification,
    TotpChange,
)
from app.identity.sign_ups import SignUp, sign_up
from app.jobs.job import Job, from_payload, spec_of, to_payload
from tests.app.identity.conftest import PASSWORD, World, new_email
from tests.app.identity.tenants import MadeTenant


async def test_every_job_sends_its_mail_after_a_trip_through_the_outbox(world: World, acme: MadeTenant) -> None:
    email = new_email()
    await sign_up(world.visitor(), SignUp(email, PASSWORD, "Ada", "Engines"))
    user_id = (await world.user(email)).id
    invitation = await invite_member(acme.owner, new_email(), TenantRole.MEMBER)
    jobs: list[Job] = [
        SendVerification(user_id),
        SendPasswordReset(user_id),
        SendPasswordChanged(user_id),
        *(SendTotpChanged(user_id, change) for change in TotpChange),
        SendInvitation(invitation.id),
    ]
    handlers = gather_handlers(actors.identity)

    for job in jobs:
        handled = handlers.of(spec_of(job).name)
        caller = job_caller(world.resources, acme.tenant_id, "test")
        await handled.run(caller, from_payload(handled.kind, to_payload(job)))

    assert [mail.subject for mail in world.letterbox.mails] == [
        "Confirm your e-mail address",
        "Set a new password",
        "Your password was changed",
        "Two-step sign-in is on",
        "Two-step sign-in is off",
        "You have new recovery codes",
        "A recovery code was used",
        "Invitation to Acme",
    ]
    assert sorted(handlers.names) == sorted({spec_of(job).name for job in jobs})
    assert handlers.queues == ("system_mail",)
