"""What to do with a claimed message that the marking statement did not let through."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.outreach.rules.campaign_states import CampaignState
from app.outreach.rules.mailbox_states import MailboxState, may_send
from app.outreach.rules.message_states import MessageState


class Refusal(StrEnum):
    """LOST and MAILBOX_STOPPED and LIMIT end the run; the others concern the one message."""

    LOST = "lost"
    MAILBOX_STOPPED = "mailbox_stopped"
    LIMIT = "limit"
    CAMPAIGN_PAUSED = "campaign_paused"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    SUPPRESSED = "suppressed"
    CONTACT_GONE = "contact_gone"


@dataclass(frozen=True, slots=True)
class MarkingView:
    """What stands in the database, as the run sees it after a refusal; `fence` and `smtp_version` are the run's own."""

    message_state: MessageState
    message_fence: int
    campaign_state: CampaignState
    contact_exists: bool
    is_suppressed: bool
    mailbox_state: MailboxState
    paused_at: datetime | None
    smtp_version: int
    run_fence: int


def why_refused(view: MarkingView, *, fence: int, smtp_version: int) -> Refusal:
    """The first reason that holds; LIMIT when every other condition is met, for then cap or gap stood against it."""
    if view.run_fence != fence or view.message_fence != fence or view.message_state is not MessageState.CLAIMED:
        return Refusal.LOST
    if view.is_suppressed:
        return Refusal.SUPPRESSED
    if not view.contact_exists:
        return Refusal.CONTACT_GONE
    if view.campaign_state is CampaignState.PAUSED:
        return Refusal.CAMPAIGN_PAUSED
    if view.campaign_state is not CampaignState.RUNNING:
        return Refusal.CAMPAIGN_CANCELLED
    if not may_send(view.mailbox_state, view.paused_at) or view.smtp_version != smtp_version:
        return Refusal.MAILBOX_STOPPED
    return Refusal.LIMIT


REASONS = {
    Refusal.SUPPRESSED: "The address is suppressed: nothing is sent to it.",
    Refusal.CONTACT_GONE: "The contact was deleted before its turn.",
    Refusal.CAMPAIGN_CANCELLED: "The campaign was cancelled before the mail left.",
}
