"""Messages: the ledger, each one's whole story, and the resolving of doubts by a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import DomainError, NotFound, TooLong, WrongState
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.outreach.access import reach
from app.outreach.campaign_completion import complete_locked, record_campaign
from app.outreach.jobs import SendDue
from app.outreach.message_events import message_event
from app.outreach.rules.campaign_states import CampaignState
from app.outreach.rules.message_states import (
    AttemptOutcome,
    Count,
    InDoubtOutcome,
    MessageState,
    count_of,
    enrollment_after,
)
from app.outreach.rules.sent_values import SentValues, finish
from app.outreach.rules.template_rendering import RenderedMail, TemplateSource, compile_template
from app.outreach.templates import template_sources
from db.core.paging import Page
from db.queries.outreach import campaign_counts, campaigns, enrollments
from db.queries.outreach import messages as query
from db.queries.outreach.messages import Message, MessageAttempt

__all__ = ["Message", "MessageAttempt"]
LONGEST_NOTE = 500
HIDDEN_PART = "hidden"
_SENT = "A person found that it was sent."
_NOT_SENT = "A person found that it was not sent."


@dataclass(frozen=True, slots=True)
class RenderedAgain:
    """The mail made again from what was kept; `matches_sent` compares it, byte for byte, with what went out.

    In `mail` the recipient's unsubscribe link is one that does nothing: who reads messages must not act for the recipient.
    """

    mail: RenderedMail
    sha256: str
    matches_sent: bool


@requires(Permission.MESSAGES_READ)
async def messages(
    caller: Caller, campaign_id: UUID, *, state: MessageState | None, first: int, after: UUID | None
) -> Page[Message]:
    """Newest first; an empty page for a campaign that the caller does not see."""
    async with caller.transaction(read_only=True):
        campaign = await campaigns.campaign_by_id(campaign_id)
        if campaign is None or not caller.sees(campaign.workspace_id):
            return Page([], False)
        caller.must(Permission.MESSAGES_READ, campaign.workspace_id)
        states = list(MessageState) if state is None else [state]
        return await query.messages(campaign_id, states=states, first=first, after=after)


@requires(Permission.MESSAGES_READ)
async def messages_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Message | None]:
    async with caller.transaction(read_only=True):
        rows = await query.messages_by_ids(ids)
    found = {row.id: row for row in rows if caller.sees(row.workspace_id)}
    return [found.get(each) for each in ids]


@requires(Permission.MESSAGES_READ)
async def attempts_by_messages(caller: Caller, ids: Sequence[UUID]) -> list[list[MessageAttempt]]:
    """The tries of each message, oldest first; none of messages that the caller does not see."""
    async with caller.transaction(read_only=True):
        visible = {row.id for row in await query.messages_by_ids(ids) if caller.sees(row.workspace_id)}
        rows = await query.attempts(sorted(visible))
    stories: dict[UUID, list[MessageAttempt]] = {each: [] for each in ids}
    for row in rows:
        stories[row.message_id].append(row)
    return [stories[each] for each in ids]


@requires(Permission.MESSAGES_READ)
async def rendered_again(caller: Caller, message_id: UUID) -> RenderedAgain | None:
    """The mail as it was last tried; None before the first try, or when its template cannot be read any more.

    Raises NotFound.
    """
    await message_by_id(caller, message_id)
    return (await rendered_by_messages(caller, [message_id]))[0]


@requires(Permission.MESSAGES_READ)
async def rendered_by_messages(caller: Caller, ids: Sequence[UUID]) -> list[RenderedAgain | None]:
    """The mails as they were last tried, in the order of `ids`; None also for messages that the caller does not see."""
    async with caller.transaction(read_only=True):
        rows = [row for row in await query.messages_by_ids(ids) if caller.sees(row.workspace_id)]
        tried = [row for row in rows if row.merge_values is not None]
        templates = await query.templates_of([row.variant_id for row in tried])
    wanted = {row.template_version_id: templates[row.variant_id] for row in tried if row.variant_id in templates}
    sources = await template_sources(caller, wanted)
    found = {row.id: _rendered(row, sources.get(row.template_version_id)) for row in tried}
    return [found.get(each) for each in ids]


def _rendered(message: Message, source: TemplateSource | None) -> RenderedAgain | None:
    if source is None or message.merge_values is None:
        return None
    values = SentValues.from_json(message.merge_values)
    try:
        template = compile_template(source)
        sent = finish(template, values)
        shown = finish(template, replace(values, unsubscribe_url=_without_token(values.unsubscribe_url)))
    except DomainError:
        return None
    return RenderedAgain(shown.rendered, sent.content_sha256.hex(), sent.content_sha256 == message.content_sha256)


def _without_token(unsubscribe_url: str) -> str:
    return f"{unsubscribe_url.rpartition('/')[0]}/{HIDDEN_PART}"


@requires(Permission.MESSAGES_RESOLVE)
async def resolve_in_doubt_message(
    caller: Caller, message_id: UUID, outcome: InDoubtOutcome, *, send_again: bool = False, note: str | None = None
) -> Message:
    """A person says what became of it. Only one that was not sent may be sent again, and only when they say so.

    Raises NotFound, WrongState, TooLong, Forbidden.
    """
    if note is not None and len(note) > LONGEST_NOTE:
        raise TooLong(f"The note may have at most {LONGEST_NOTE} characters.", ("input", "note"))
    if send_again and outcome is InDoubtOutcome.SENT:
        raise WrongState("A mail that was sent is not sent again.", ("input", "sendAgain"))
    async with caller.transaction():
        campaign_id = await _campaign_of(caller, message_id)
        campaign = await campaigns.lock_campaign(campaign_id)
        message = await query.lock_message(message_id)
        assert message is not None
        assert campaign is not None
        if message.state != MessageState.IN_DOUBT:
            raise WrongState(f"The message is {message.state}, not in doubt.", ("input", "messageId"))
        if send_again and campaign.state not in (CampaignState.RUNNING, CampaignState.COMPLETED, CampaignState.PAUSED):
            raise WrongState("Its campaign is cancelled: it is not sent again.", ("input", "sendAgain"))
        resolved = await _resolve(caller, message, outcome, send_again=send_again, note=note)
        if send_again and campaign.state == CampaignState.COMPLETED:
            await _reopen(caller, campaign)
        elif campaign.state == CampaignState.RUNNING:
            await complete_locked(caller, campaign)
        return resolved


async def _campaign_of(caller: Caller, message_id: UUID) -> UUID:
    rows = await query.messages_by_ids([message_id])
    found = rows[0] if rows else None
    return reach(caller, found, Permission.MESSAGES_RESOLVE, noun="message", field="messageId").campaign_id


async def _resolve(
    caller: Caller, message: Message, outcome: InDoubtOutcome, *, send_again: bool, note: str | None
) -> Message:
    now = caller.now()
    is_sent = outcome is InDoubtOutcome.SENT
    state = MessageState.SENT if is_sent else MessageState.QUEUED if send_again else MessageState.FAILED
    reason = " ".join(part for part in ((_SENT if is_sent else _NOT_SENT), note) if part)
    due_at = now if send_again else None
    assert message.mailbox_id is not None
    await query.resolve_message(message.id, state=state, due_at=due_at, reason=reason, at=now)
    attempt_outcome = AttemptOutcome.RESOLVED_SENT if is_sent else AttemptOutcome.RESOLVED_NOT_SENT
    await query.insert_attempt(
        MessageAttempt(new_id(), message.id, message.mailbox_id, attempt_outcome, None, reason, now)
    )
    change: dict[str, int] = {Count.IN_DOUBT: -1, count_of(state): 1}
    await campaign_counts.add_counts(message.campaign_id, {message.mailbox_id: change})
    await enrollments.move_enrollments([message.enrollment_id], enrollment_after(state))
    if send_again:
        await enqueue(caller, SendDue(message.mailbox_id), dedupe_key=f"send_due:{message.mailbox_id}")
    event = message_event(
        state,
        workspace_id=message.workspace_id,
        message_id=message.id,
        version=message.version + 1,
        campaign_id=message.campaign_id,
        mailbox_id=message.mailbox_id,
        recipient=message.to_address,
        reason=reason,
    )
    await record(caller, event)
    details = {"outcome": outcome, "sendAgain": send_again, "note": note}
    await audit(caller, "message.resolve", object_type="Message", object_id=message.id, details=details)
    rows = await query.messages_by_ids([message.id])
    return rows[0]


async def _reopen(caller: Caller, campaign: campaigns.Campaign) -> None:
    """A completed campaign runs until the mail that is sent again has settled."""
    now = caller.now()
    running = replace(
        campaign, state=CampaignState.RUNNING, completed_at=None, version=campaign.version + 1, updated_at=now
    )
    await campaigns.update_campaign(running)
    await record_campaign(caller, running)


@requires(Permission.MESSAGES_READ)
async def message_by_id(caller: Caller, message_id: UUID) -> Message:
    """Raises NotFound."""
    found = (await messages_by_ids(caller, [message_id]))[0]
    if found is None:
        raise NotFound("message")
    return found
