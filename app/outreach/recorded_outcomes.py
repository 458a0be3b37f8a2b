"""From a settlement to what the ledger's statement writes about it."""

from datetime import datetime
from uuid import UUID

from app.core.ids import new_id
from app.outreach.message_events import message_event, topic_and_payload
from app.outreach.rules.deferral import Settlement
from app.outreach.rules.message_states import (
    AttemptOutcome,
    MessageState,
    enrollment_after,
)
from app.outreach.rules.sending_rate import window_number
from app.outreach.rules.submitting import REASONS, Refusal
from db.queries.outreach.ledger import ClaimedMessage, Recording
from db.queries.outreach.mailbox_runs import LeftMessage

_WAITS = frozenset({MessageState.QUEUED, MessageState.DEFERRED})
_UNMARKED_REASON = "The database was lost before the mail was handed over: nothing was sent."
_LEFT_REASON = "The worker was lost while the mail was being handed over: whether the server took it is not known."


def recording_of(message: ClaimedMessage, mailbox_id: UUID, settlement: Settlement, now: datetime) -> Recording:
    """Of a message that was submitted."""
    return _recording(message, mailbox_id, settlement, now, from_state=MessageState.SUBMITTING)


def failed_before_submitting(message: ClaimedMessage, mailbox_id: UUID, reason: str, now: datetime) -> Recording:
    """Of a message that no mail could be made for: nothing was sent."""
    settlement = Settlement(MessageState.FAILED, AttemptOutcome.FAILED, reason)
    return _recording(message, mailbox_id, settlement, now, from_state=MessageState.CLAIMED)


def unmarked(message: ClaimedMessage, mailbox_id: UUID, now: datetime) -> Recording:
    """Of a message that was marked, or may have been, and certainly not submitted: it goes back to the queue."""
    settlement = Settlement(MessageState.QUEUED, AttemptOutcome.PUT_BACK, _UNMARKED_REASON, due_at=now)
    return _recording(message, mailbox_id, settlement, now, from_state=MessageState.SUBMITTING)


def cancelled_before_submitting(
    message: ClaimedMessage, mailbox_id: UUID, refusal: Refusal, now: datetime
) -> Recording:
    """Of a message that may not be sent any more."""
    topic, payload = topic_and_payload(
        message_event(
            MessageState.CANCELLED,
            workspace_id=message.workspace_id,
            message_id=message.id,
            version=0,
            campaign_id=message.campaign_id,
            mailbox_id=mailbox_id,
            recipient=message.to_address,
            reason=REASONS[refusal],
        )
    )
    is_suppressed = refusal is Refusal.SUPPRESSED
    return Recording(
        message_id=message.id,
        from_state=MessageState.CLAIMED,
        state=MessageState.CANCELLED,
        due_at=None,
        settled_at=now,
        reply=None,
        reason=REASONS[refusal],
        attempt_id=None,
        attempt_outcome=None,
        enrollment_state=enrollment_after(MessageState.CANCELLED, suppressed=is_suppressed),
        is_suppressed=is_suppressed,
        event_id=new_id(),
        event_topic=topic,
        event_payload=payload,
        rate_window=window_number(now),
    )


def in_doubt_of(left: LeftMessage, mailbox_id: UUID, now: datetime) -> Recording:
    """Of a message whose worker was lost."""
    settlement = Settlement(MessageState.IN_DOUBT, AttemptOutcome.IN_DOUBT, _LEFT_REASON)
    return _recording(left, mailbox_id, settlement, now, from_state=MessageState.SUBMITTING)


def _recording(
    message: ClaimedMessage | LeftMessage,
    mailbox_id: UUID,
    settlement: Settlement,
    now: datetime,
    *,
    from_state: MessageState,
) -> Recording:
    topic, payload = topic_and_payload(
        message_event(
            settlement.state,
            workspace_id=message.workspace_id,
            message_id=message.id,
            version=0,
            campaign_id=message.campaign_id,
            mailbox_id=mailbox_id,
            recipient=message.to_address,
            reason=settlement.reason,
            reply=settlement.reply,
        )
    )
    is_over = settlement.state not in _WAITS and settlement.state is not MessageState.IN_DOUBT
    return Recording(
        message_id=message.id,
        from_state=from_state,
        state=settlement.state,
        due_at=settlement.due_at,
        settled_at=now if is_over else None,
        reply=settlement.reply,
        reason=settlement.reason,
        attempt_id=new_id(),
        attempt_outcome=settlement.outcome,
        enrollment_state=enrollment_after(settlement.state),
        is_suppressed=False,
        event_id=new_id(),
        event_topic=topic,
        event_payload=payload,
        rate_window=window_number(now),
    )
