"""Taking back what waits: messages cancelled, or given back for other mailboxes, with their counts and events."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from app.core.caller import Caller
from app.live.recording import record
from app.outreach.message_events import message_event
from app.outreach.rules.message_states import Count, MessageState, count_of, enrollment_after
from db.queries.outreach import campaign_counts, enrollments, message_queue
from db.queries.outreach.message_queue import TakenBack

Changes = dict[UUID, dict[UUID, dict[str, int]]]


async def cancel_locked(caller: Caller, messages: Sequence[TakenBack], *, reason: str, suppressed: bool) -> None:
    """Inside the caller's transaction, with the messages locked: none of them is sent any more."""
    if not messages:
        return
    now = caller.now()
    await message_queue.cancel_messages([each.id for each in messages], reason=reason, at=now)
    state = enrollment_after(MessageState.CANCELLED, suppressed=suppressed)
    await enrollments.move_enrollments([each.enrollment_id for each in messages], state)
    into = count_of(MessageState.CANCELLED, suppressed=suppressed)
    changes = _empty()
    for each in messages:
        lane = changes[each.campaign_id][_lane(each)]
        lane[count_of(MessageState(each.state))] -= 1
        lane[into] += 1
    await add_all(changes)
    events = [
        message_event(
            MessageState.CANCELLED,
            workspace_id=each.workspace_id,
            message_id=each.id,
            version=each.version + 1,
            campaign_id=each.campaign_id,
            mailbox_id=each.mailbox_id,
            recipient=each.to_address,
            reason=reason,
        )
        for each in messages
    ]
    await record(caller, *events)


async def unassign_locked(messages: Sequence[TakenBack]) -> None:
    """Inside the caller's transaction, with the messages locked: they wait for another mailbox."""
    if not messages:
        return
    await message_queue.unassign_messages([each.id for each in messages])
    changes = _empty()
    for each in messages:
        changes[each.campaign_id][_lane(each)][count_of(MessageState(each.state))] -= 1
        changes[each.campaign_id][each.campaign_id][Count.QUEUED] += 1
    await add_all(changes)


async def add_all(changes: Changes) -> None:
    """In the order of campaigns and lanes, as everybody does, so that nobody deadlocks."""
    for campaign_id in sorted(changes):
        await campaign_counts.add_counts(campaign_id, changes[campaign_id])


def _empty() -> Changes:
    return defaultdict(lambda: defaultdict(lambda: defaultdict(int)))


def _lane(message: TakenBack) -> UUID:
    return message.campaign_id if message.mailbox_id is None else message.mailbox_id
