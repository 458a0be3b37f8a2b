"""The states of a mailbox, and whether it may send."""

from datetime import datetime
from enum import StrEnum


class MailboxState(StrEnum):
    """unverified until its connection test; failed when the test, or a later connection, says that it cannot work."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    FAILED = "failed"
    DISCONNECTED = "disconnected"


def may_send(state: MailboxState, paused_at: datetime | None) -> bool:
    return state is MailboxState.VERIFIED and paused_at is None
