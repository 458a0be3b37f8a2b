"""The live event of each thing that happens to a message."""

from typing import Any
from uuid import UUID

from app.live.recording import payload_of
from app.live.topics import (
    MessageBounced,
    MessageCancelled,
    MessageDeferred,
    MessageEvent,
    MessageFailed,
    MessageInDoubt,
    MessageQueued,
    MessageSent,
)
from app.outreach.rules.message_states import MessageState

_EVENTS: dict[MessageState, type[MessageEvent]] = {
    MessageState.SENT: MessageSent,
    MessageState.DEFERRED: MessageDeferred,
    MessageState.BOUNCED: MessageBounced,
    MessageState.FAILED: MessageFailed,
    MessageState.IN_DOUBT: MessageInDoubt,
    MessageState.CANCELLED: MessageCancelled,
    MessageState.QUEUED: MessageQueued,
    MessageState.PLANNED: MessageQueued,
}


def message_event(  # noqa: PLR0913  # an event as it is
    state: MessageState,
    *,
    workspace_id: UUID,
    message_id: UUID,
    version: int,
    campaign_id: UUID,
    mailbox_id: UUID | None,
    recipient: str,
    reason: str | None,
    reply: str | None = None,
) -> MessageEvent:
    return _EVENTS[state](
        workspace_id=workspace_id,
        object_id=message_id,
        version=version,
        campaign_id=campaign_id,
        mailbox_id=mailbox_id,
        recipient=recipient,
        state=state.value,
        reason=reason,
        reply=reply,
    )


def topic_and_payload(event: MessageEvent) -> tuple[str, dict[str, Any]]:
    """As record() would write them; the ledger's statement writes the row itself, with the version it has raised."""
    return event.topic, payload_of(event)
