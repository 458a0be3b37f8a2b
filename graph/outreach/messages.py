"""Messages in the public schema: the ledger, and each one's whole story."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import messages as use
from app.outreach.campaign_views import campaigns_by_ids
from app.outreach.mailboxes import mailboxes_by_ids
from app.outreach.messages import Message as MessageRow
from app.outreach.messages import MessageAttempt as MessageAttemptRow
from app.outreach.rules.message_states import AttemptOutcome, InDoubtOutcome, MessageState
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, bounded, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.outreach.campaigns import Campaign
from graph.outreach.mailboxes import Mailbox

describe_enum(
    MessageState,
    "Where a message stands.",
    {
        MessageState.PLANNED: "It waits for a mailbox.",
        MessageState.QUEUED: "It waits in its mailbox's queue.",
        MessageState.CLAIMED: "Its mailbox's run has it in hand.",
        MessageState.SUBMITTING: "It is being handed to the mail server.",
        MessageState.SENT: "The mail server has taken it.",
        MessageState.DEFERRED: "A server asked us to try again later.",
        MessageState.BOUNCED: "The address does not exist or takes no mail.",
        MessageState.FAILED: "It was refused for good, given up, or could not be made.",
        MessageState.IN_DOUBT: "Nobody knows whether the server took it; it is not sent again by itself.",
        MessageState.CANCELLED: "It was cancelled before it left.",
    },
)
describe_enum(
    AttemptOutcome,
    "How one try ended.",
    {
        AttemptOutcome.SENT: "The server took the mail.",
        AttemptOutcome.DEFERRED: "The server asked for a later try.",
        AttemptOutcome.BOUNCED: "The server says that the address is bad.",
        AttemptOutcome.FAILED: "The server refused it for good, or no mail could be made.",
        AttemptOutcome.PUT_BACK: "The connection failed before the mail was handed over.",
        AttemptOutcome.IN_DOUBT: "No answer came after the mail was handed over.",
        AttemptOutcome.RESOLVED_SENT: "A person found that it was sent.",
        AttemptOutcome.RESOLVED_NOT_SENT: "A person found that it was not sent.",
    },
)
describe_enum(
    InDoubtOutcome,
    "What became of a message in doubt.",
    {
        InDoubtOutcome.SENT: "The server had taken it.",
        InDoubtOutcome.NOT_SENT: "The server had not taken it.",
    },
)


# ---- types
@strawberry.type(description="One try to hand a message over, or a finding about it.")
class MessageAttempt:
    at: datetime = strawberry.field(description="When it ended.")
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox.")
    outcome: AttemptOutcome = strawberry.field(description="How it ended.")
    reply: str | None = strawberry.field(description="The server's own words.")
    reason: str | None = strawberry.field(description="What they mean.")

    @staticmethod
    def of(row: MessageAttemptRow) -> "MessageAttempt":
        return MessageAttempt(
            at=row.at,
            mailbox_id=global_id("Mailbox", row.mailbox_id),
            outcome=AttemptOutcome(row.outcome),
            reply=row.reply,
            reason=row.reason,
        )


@strawberry.type(
    description="A mail made again from the kept template version and values; its unsubscribe link is one that does nothing."
)
class RenderedMessage:
    subject: str = strawberry.field(description="The subject.")
    text: str = strawberry.field(description="The text part.")
    html: str | None = strawberry.field(description="The HTML part, if any.")
    sha256: str = strawberry.field(description="SHA-256 of the mail's bytes before its DKIM signature, hexadecimal.")
    matches_sent: bool = strawberry.field(
        description="Whether the mail, with its own unsubscribe link, is byte for byte that of the last try."
    )


@strawberry.type(description="One mail to one contact: a row of the ledger.")
class Message(Node):
    row: strawberry.Private[MessageRow]
    campaign_id: strawberry.ID = strawberry.field(description="The campaign that it belongs to.")
    step_id: strawberry.ID = strawberry.field(description="The step of the campaign.")
    variant_id: strawberry.ID = strawberry.field(description="The variant that the contact got.")
    enrollment_id: strawberry.ID = strawberry.field(description="Why it was sent: the contact's enrollment.")
    contact_id: strawberry.ID = strawberry.field(description="The contact; it may have been erased since.")
    mailbox_id: strawberry.ID | None = strawberry.field(description="The mailbox; null while it waits for one.")
    to_address: str = strawberry.field(description="The address that it goes to.")
    state: MessageState = strawberry.field(description="Where it stands.")
    reason: str | None = strawberry.field(description="Why it stands there, in words.")
    smtp_reply: str | None = strawberry.field(description="The mail server's own words about the last try.")
    message_id_header: str | None = strawberry.field(description="Its Message-ID, once it was tried.")
    attempts: int = strawberry.field(description="How often it was handed to a server.")
    due_at: datetime | None = strawberry.field(description="When it is due, while it waits.")
    submitted_at: datetime | None = strawberry.field(description="When the last try began.")
    settled_at: datetime | None = strawberry.field(description="When it reached its final state.")
    version: int = strawberry.field(description="Counts the changes.")
    created_at: datetime = strawberry.field(description="When it was planned.")

    @staticmethod
    def of(row: MessageRow) -> "Message":
        return Message(
            row=row,
            id=global_id("Message", row.id),
            campaign_id=global_id("Campaign", row.campaign_id),
            step_id=global_id("CampaignStep", row.step_id),
            variant_id=global_id("CampaignVariant", row.variant_id),
            enrollment_id=global_id("Enrollment", row.enrollment_id),
            contact_id=global_id("Contact", row.contact_id),
            mailbox_id=None if row.mailbox_id is None else global_id("Mailbox", row.mailbox_id),
            to_address=row.to_address,
            state=MessageState(row.state),
            reason=row.reason,
            smtp_reply=row.reply,
            message_id_header=row.message_id_header,
            attempts=row.attempts,
            due_at=row.due_at,
            submitted_at=row.submitted_at,
            settled_at=row.settled_at,
            version=row.version,
            created_at=row.created_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Message | None]":
        rows = await use.messages_by_ids(context.caller, ids)
        return [Message.of(row) if row else None for row in rows]

    @strawberry.field(  # type: ignore[untyped-decorator]
        description="Every try, oldest first, with the server's words. Needs the permission `messages.read`.",
        metadata=bounded("a message is tried for four days at most, in ever longer intervals; a hundred are shown"),
    )
    async def story(self, info: Info) -> list[MessageAttempt]:
        return await info.context.loaders.load(stories_by_message, self.row.id)

    @query(uses=use.rendered_by_messages, description="The mail as it was last tried; null before the first try.")
    async def rendered(self, info: Info) -> RenderedMessage | None:
        again = await info.context.loaders.load(rendered_by_message, self.row.id)
        if again is None:
            return None
        mail = again.mail
        return RenderedMessage(
            subject=mail.subject, text=mail.text, html=mail.html, sha256=again.sha256, matches_sent=again.matches_sent
        )

    @query(uses=campaigns_by_ids, description="The campaign that it belongs to.")
    async def campaign(self, info: Info) -> Campaign | None:
        return await info.context.loaders.load(campaigns_by_id, self.row.campaign_id)

    @query(uses=mailboxes_by_ids, description="The mailbox that it goes through; null while it waits for one.")
    async def mailbox(self, info: Info) -> Mailbox | None:
        if self.row.mailbox_id is None:
            return None
        return await info.context.loaders.load(mailboxes_by_id, self.row.mailbox_id)


# ---- inputs
@strawberry.input(description="What resolveInDoubtMessage needs.")
class ResolveInDoubtMessageInput(IdempotentInput):
    message_id: strawberry.ID = strawberry.field(description="The message in doubt.")
    outcome: InDoubtOutcome = strawberry.field(description="What became of it.")
    send_again: bool = strawberry.field(
        default=False, description="Whether to send it again; only one that was not sent."
    )
    note: str | None = strawberry.field(default=None, description="How you know; kept with the message.")


# ---- payloads
@strawberry.type(description="The answer of resolveInDoubtMessage.")
class ResolveInDoubtMessagePayload(Payload):
    message: Message | None = strawberry.field(default=None, description="The message, no longer in doubt.")


# ---- loaders
async def stories_by_message(context: Context, ids: Sequence[UUID]) -> list[list[MessageAttempt]]:
    stories = await use.attempts_by_messages(context.caller, ids)
    return [[MessageAttempt.of(row) for row in story] for story in stories]


async def rendered_by_message(context: Context, ids: Sequence[UUID]) -> list[use.RenderedAgain | None]:
    return await use.rendered_by_messages(context.caller, ids)


async def campaigns_by_id(context: Context, ids: Sequence[UUID]) -> "list[Campaign | None]":
    return await Campaign.load_nodes(context, ids)


async def mailboxes_by_id(context: Context, ids: Sequence[UUID]) -> "list[Mailbox | None]":
    return await Mailbox.load_nodes(context, ids)


# ---- queries
@strawberry.type
class MessageQueries:
    @query(uses=use.messages, description="The messages of a campaign, newest first, of one state or of all.")
    async def messages(
        self,
        info: Info,
        campaign_id: Annotated[strawberry.ID, strawberry.argument(description="The campaign.")],
        state: Annotated[MessageState | None, strawberry.argument(description="Only of this state.")] = None,
        first: First = 25,
        after: After = None,
    ) -> Connection[Message]:
        page = window(first, after)
        campaign = local_id(campaign_id, "Campaign")
        rows = await use.messages(info.context.caller, campaign, state=state, first=page.first, after=page.after)
        return connection(rows, Message.of)

    @query(uses=use.message_by_id, description="One message, or null.")
    async def message(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The message's id.")]
    ) -> Message | None:
        return Message.of(await use.message_by_id(info.context.caller, local_id(id, "Message")))


# ---- mutations
@strawberry.type
class MessageMutations:
    @mutation(uses=use.resolve_in_doubt_message, description="Says what became of a message in doubt.")
    async def resolve_in_doubt_message(
        self,
        info: Info,
        input: Annotated[ResolveInDoubtMessageInput, strawberry.argument(description="Which, and what is known.")],
    ) -> ResolveInDoubtMessagePayload:
        row = await use.resolve_in_doubt_message(
            info.context.caller,
            local_id(input.message_id, "Message"),
            input.outcome,
            send_again=input.send_again,
            note=input.note,
        )
        return ResolveInDoubtMessagePayload(message=Message.of(row))
