"""Mails to users, as workers send them."""

from actors.core.handler import handles
from app.core.caller import Caller
from app.identity import user_mail
from app.identity.jobs import SendPasswordChanged, SendPasswordReset, SendTotpChanged, SendVerification


@handles(SendVerification)
async def send_verification(caller: Caller, job: SendVerification) -> None:
    await user_mail.send_verification(caller, job.user_id)


@handles(SendPasswordReset)
async def send_password_reset(caller: Caller, job: SendPasswordReset) -> None:
    await user_mail.send_password_reset(caller, job.user_id)


@handles(SendPasswordChanged)
async def send_password_changed(caller: Caller, job: SendPasswordChanged) -> None:
    await user_mail.send_password_changed(caller, job.user_id)


@handles(SendTotpChanged)
async def send_totp_changed(caller: Caller, job: SendTotpChanged) -> None:
    await user_mail.send_totp_changed(caller, job.user_id, job.change)
