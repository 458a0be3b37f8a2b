"""Identity's jobs: mails. They carry ids only; links are made when the mail is sent, so that no secret lies in a queue."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.jobs.job import Job, Priority, job

QUEUE = "system_mail"


@job("user.send_verification", queue=QUEUE, priority=Priority.HIGH, attempts=8, timeout_seconds=60)
@dataclass(frozen=True, slots=True)
class SendVerification(Job):
    """What a sign-up sends to its address: the link that proves it, or, where it has an account, word of that."""

    user_id: UUID


@job("user.send_password_reset", queue=QUEUE, priority=Priority.HIGH, attempts=8, timeout_seconds=60)
@dataclass(frozen=True, slots=True)
class SendPasswordReset(Job):
    user_id: UUID


@job("user.send_password_changed", queue=QUEUE, priority=Priority.NORMAL, attempts=8, timeout_seconds=60)
@dataclass(frozen=True, slots=True)
class SendPasswordChanged(Job):
    """So that nobody's password changes behind their back."""

    user_id: UUID


class TotpChange(StrEnum):
    """What happened to a user's second factor."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    CODES_REGENERATED = "codes_regenerated"
    CODE_USED = "code_used"


@job("user.send_totp_changed", queue=QUEUE, priority=Priority.NORMAL, attempts=8, timeout_seconds=60)
@dataclass(frozen=True, slots=True)
class SendTotpChanged(Job):
    """So that nobody's second factor changes, or is stood in for, behind their back. `change` is a TotpChange."""

    user_id: UUID
    change: str


@job("invitation.send", queue=QUEUE, priority=Priority.HIGH, attempts=8, timeout_seconds=60)
@dataclass(frozen=True, slots=True)
class SendInvitation(Job):
    invitation_id: UUID
