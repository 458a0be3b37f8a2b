"""Mailboxes in the public schema."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import mailboxes as use
from app.outreach.mailbox_status import mailbox_status
from app.outreach.mailboxes import Mailbox as MailboxRow
from app.outreach.mailboxes import MailboxChanges, MailboxSettings, SmtpLogin
from app.outreach.ports import ConnectionProblem, SmtpSecurity
from app.outreach.rules.mailbox_states import MailboxState
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.core.subscription import subscription

describe_enum(
    SmtpSecurity,
    "How the connection to a mail server is protected.",
    {
        SmtpSecurity.IMPLICIT_TLS: "TLS from the first byte, usually on port 465.",
        SmtpSecurity.STARTTLS: "TLS after STARTTLS, usually on port 587.",
        SmtpSecurity.PLAIN: "No protection; only for hosts that the operator has listed.",
    },
)
describe_enum(
    MailboxState,
    "Whether a mailbox can send. A paused one keeps its state.",
    {
        MailboxState.UNVERIFIED: "Its connection test has not ended yet.",
        MailboxState.VERIFIED: "The server took its sign-in and its sender address.",
        MailboxState.FAILED: "It cannot send; the verdict says why.",
        MailboxState.DISCONNECTED: "It was disconnected for good; its password is forgotten.",
    },
)
describe_enum(
    ConnectionProblem,
    "Why a mail server could not be used.",
    {
        ConnectionProblem.HOST_REFUSED: "We do not connect to this address.",
        ConnectionProblem.DNS: "The host's name was not found.",
        ConnectionProblem.UNREACHABLE: "Nothing listens there, or the way is blocked.",
        ConnectionProblem.TIMEOUT: "The server did not answer in time.",
        ConnectionProblem.CERTIFICATE: "The server's certificate is not valid for its name.",
        ConnectionProblem.TLS: "TLS could not be set up.",
        ConnectionProblem.NOT_SMTP: "What answers does not speak SMTP.",
        ConnectionProblem.STARTTLS_MISSING: "The server does not offer STARTTLS.",
        ConnectionProblem.AUTH_MISSING: "The server offers no sign-in that we know.",
        ConnectionProblem.AUTH_REFUSED: "The server refuses the user name or the password.",
        ConnectionProblem.SENDER_REFUSED: "The server does not let the mailbox use its address.",
        ConnectionProblem.SERVER_REFUSED: "The server refuses to talk to us.",
        ConnectionProblem.LOST: "The connection was lost.",
    },
)


# ---- types
@strawberry.type(description="What a connection test found.")
class MailboxVerdict:
    ok: bool = strawberry.field(description="Whether the mailbox can send.")
    problem: ConnectionProblem | None = strawberry.field(description="What is wrong, if anything.")
    sentence: str = strawberry.field(description="The finding in words, with the server's own.")
    checked_at: datetime = strawberry.field(description="When it was found.")


@strawberry.type(description="An account at a mail server that campaigns send through.")
class Mailbox(Node):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the mailbox belongs to.")
    address: str = strawberry.field(description="The address that mails come from.")
    display_name: str = strawberry.field(description="The name beside the address.")
    state: MailboxState = strawberry.field(description="Whether it can send.")
    paused_at: datetime | None = strawberry.field(description="When it was paused, by a person or by a server's words.")
    pause_reason: str | None = strawberry.field(description="Why it was paused.")
    smtp_host: str = strawberry.field(description="Its mail server.")
    smtp_port: int = strawberry.field(description="The server's port.")
    smtp_security: SmtpSecurity = strawberry.field(description="How the connection is protected.")
    smtp_username: str = strawberry.field(description="The user name of its sign-in.")
    daily_cap: int = strawberry.field(description="The most mails a day, in the tenant's time zone.")
    minimum_gap_seconds: int = strawberry.field(description="The least time between two mails.")
    sent_today: int = strawberry.field(description="Mails of the day of the last one.")
    next_send_at: datetime | None = strawberry.field(
        description="The earliest moment of the next mail, by gap, daily cap and server; null or past: at once."
    )
    last_problem: str | None = strawberry.field(
        description="What last kept its server from being used for a while, with the server's own words; "
        "null once a mail was taken or a test succeeded."
    )
    last_problem_at: datetime | None = strawberry.field(description="When that was.")
    verdict: MailboxVerdict | None = strawberry.field(description="What the last test found; null before the first.")
    version: int = strawberry.field(description="Counts the changes.")
    created_at: datetime = strawberry.field(description="When it was connected.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")

    @staticmethod
    def of(row: MailboxRow) -> "Mailbox":
        return Mailbox(
            id=global_id("Mailbox", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            address=row.address,
            display_name=row.display_name,
            state=MailboxState(row.state),
            paused_at=row.paused_at,
            pause_reason=row.pause_reason,
            smtp_host=row.smtp_host,
            smtp_port=row.smtp_port,
            smtp_security=SmtpSecurity(row.smtp_security),
            smtp_username=row.smtp_username,
            daily_cap=row.daily_cap,
            minimum_gap_seconds=row.minimum_gap_seconds,
            sent_today=row.sent_today,
            next_send_at=use.next_mail_of(row),
            last_problem=row.last_problem,
            last_problem_at=row.last_problem_at,
            verdict=verdict_of(row),
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Mailbox | None]":
        rows = await use.mailboxes_by_ids(context.caller, ids)
        return [Mailbox.of(row) if row else None for row in rows]


def verdict_of(row: MailboxRow) -> MailboxVerdict | None:
    if row.verdict_at is None or row.verdict_sentence is None:
        return None
    problem = None if row.verdict_problem is None else ConnectionProblem(row.verdict_problem)
    return MailboxVerdict(ok=problem is None, problem=problem, sentence=row.verdict_sentence, checked_at=row.verdict_at)


# ---- inputs
@strawberry.input(description="What connectMailbox needs.")
class ConnectMailboxInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to connect it in.")
    address: str = strawberry.field(description="The address that mails come from.")
    display_name: str = strawberry.field(description="The name beside the address, at most 120 characters.")
    smtp_host: str = strawberry.field(description="The mail server's public name.")
    smtp_port: int = strawberry.field(description="465, 587, or another submission port.")
    smtp_security: SmtpSecurity = strawberry.field(description="How the connection is protected.")
    smtp_username: str = strawberry.field(description="The user name; empty for a server without sign-in.")
    smtp_password: str = strawberry.field(description="The password; it is encrypted and never shown again.")
    daily_cap: int | None = strawberry.field(default=None, description="The most mails a day; the tenant's default.")
    minimum_gap_seconds: int | None = strawberry.field(
        default=None, description="The least time between two mails, zero allowed; the tenant's default."
    )


@strawberry.input(description="What updateMailbox changes; what is left out stays as it is.")
class UpdateMailboxInput(IdempotentInput):
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox to change.")
    display_name: str | None = strawberry.field(default=None, description="A new name beside the address.")
    smtp_host: str | None = strawberry.field(default=None, description="Another mail server.")
    smtp_port: int | None = strawberry.field(default=None, description="Another port.")
    smtp_security: SmtpSecurity | None = strawberry.field(default=None, description="Another protection.")
    smtp_username: str | None = strawberry.field(default=None, description="Another user name.")
    smtp_password: str | None = strawberry.field(default=None, description="A new password.")
    daily_cap: int | None = strawberry.field(default=None, description="A new cap.")
    minimum_gap_seconds: int | None = strawberry.field(default=None, description="A new gap.")


@strawberry.input(description="What testMailbox needs.")
class TestMailboxInput(IdempotentInput):
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox to test.")


@strawberry.input(description="What pauseMailbox needs.")
class PauseMailboxInput(IdempotentInput):
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox to pause.")
    reason: str | None = strawberry.field(default=None, description="Shown with the mailbox.")


@strawberry.input(description="What resumeMailbox needs.")
class ResumeMailboxInput(IdempotentInput):
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox to resume.")


@strawberry.input(description="What disconnectMailbox needs.")
class DisconnectMailboxInput(IdempotentInput):
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox to disconnect for good.")


# ---- payloads
@strawberry.type(description="The answer of connectMailbox.")
class ConnectMailboxPayload(Payload):
    mailbox: Mailbox | None = strawberry.field(default=None, description="The new mailbox; its test has begun.")


@strawberry.type(description="The answer of updateMailbox.")
class UpdateMailboxPayload(Payload):
    mailbox: Mailbox | None = strawberry.field(default=None, description="The changed mailbox.")


@strawberry.type(description="The answer of testMailbox.")
class TestMailboxPayload(Payload):
    mailbox: Mailbox | None = strawberry.field(default=None, description="The mailbox; the verdict comes with the job.")


@strawberry.type(description="The answer of pauseMailbox.")
class PauseMailboxPayload(Payload):
    mailbox: Mailbox | None = strawberry.field(default=None, description="The paused mailbox.")


@strawberry.type(description="The answer of resumeMailbox.")
class ResumeMailboxPayload(Payload):
    mailbox: Mailbox | None = strawberry.field(default=None, description="The mailbox, sending again.")


@strawberry.type(description="The answer of disconnectMailbox.")
class DisconnectMailboxPayload(Payload):
    mailbox: Mailbox | None = strawberry.field(default=None, description="The mailbox as it ended.")


# ---- queries
@strawberry.type
class MailboxQueries:
    @query(uses=use.mailboxes, description="The mailboxes of a workspace, newest first, without disconnected ones.")
    async def mailboxes(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        first: First = 25,
        after: After = None,
    ) -> Connection[Mailbox]:
        page = window(first, after)
        place = local_id(workspace_id, "Workspace")
        rows = await use.mailboxes(info.context.caller, place, first=page.first, after=page.after)
        return connection(rows, Mailbox.of)

    @query(uses=use.mailbox_by_id, description="One mailbox, or null.")
    async def mailbox(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The mailbox's id.")]
    ) -> Mailbox | None:
        return Mailbox.of(await use.mailbox_by_id(info.context.caller, local_id(id, "Mailbox")))


# ---- mutations
@strawberry.type
class MailboxMutations:
    @mutation(uses=use.connect_mailbox, description="Connects a mailbox and starts its connection test.")
    async def connect_mailbox(
        self, info: Info, input: Annotated[ConnectMailboxInput, strawberry.argument(description="The mailbox.")]
    ) -> ConnectMailboxPayload:
        settings = MailboxSettings(
            address=input.address,
            display_name=input.display_name,
            smtp=SmtpLogin(input.smtp_host, input.smtp_port, input.smtp_security, input.smtp_username),
            password=input.smtp_password,
            daily_cap=input.daily_cap,
            minimum_gap_seconds=input.minimum_gap_seconds,
        )
        row = await use.connect_mailbox(info.context.caller, local_id(input.workspace_id, "Workspace"), settings)
        return ConnectMailboxPayload(mailbox=Mailbox.of(row))

    @mutation(uses=use.update_mailbox, description="Changes a mailbox; another server or sign-in is tested first.")
    async def update_mailbox(
        self, info: Info, input: Annotated[UpdateMailboxInput, strawberry.argument(description="What to change.")]
    ) -> UpdateMailboxPayload:
        changes = MailboxChanges(
            display_name=input.display_name,
            host=input.smtp_host,
            port=input.smtp_port,
            security=input.smtp_security,
            username=input.smtp_username,
            password=input.smtp_password,
            daily_cap=input.daily_cap,
            minimum_gap_seconds=input.minimum_gap_seconds,
        )
        row = await use.update_mailbox(info.context.caller, local_id(input.mailbox_id, "Mailbox"), changes)
        return UpdateMailboxPayload(mailbox=Mailbox.of(row))

    @mutation(
        uses=use.test_mailbox, description="Tests the connection as a job; the verdict is written to the mailbox."
    )
    async def test_mailbox(
        self, info: Info, input: Annotated[TestMailboxInput, strawberry.argument(description="What to test.")]
    ) -> TestMailboxPayload:
        row = await use.test_mailbox(info.context.caller, local_id(input.mailbox_id, "Mailbox"))
        return TestMailboxPayload(mailbox=Mailbox.of(row))

    @mutation(uses=use.pause_mailbox, description="Stops a mailbox at once; what waits goes to others.")
    async def pause_mailbox(
        self, info: Info, input: Annotated[PauseMailboxInput, strawberry.argument(description="What to pause.")]
    ) -> PauseMailboxPayload:
        mailbox_id = local_id(input.mailbox_id, "Mailbox")
        row = await use.pause_mailbox(info.context.caller, mailbox_id, reason=input.reason)
        return PauseMailboxPayload(mailbox=Mailbox.of(row))

    @mutation(uses=use.resume_mailbox, description="Lets a paused mailbox send again.")
    async def resume_mailbox(
        self, info: Info, input: Annotated[ResumeMailboxInput, strawberry.argument(description="What to resume.")]
    ) -> ResumeMailboxPayload:
        row = await use.resume_mailbox(info.context.caller, local_id(input.mailbox_id, "Mailbox"))
        return ResumeMailboxPayload(mailbox=Mailbox.of(row))

    @mutation(uses=use.disconnect_mailbox, description="Ends a mailbox for good and forgets its password.")
    async def disconnect_mailbox(
        self,
        info: Info,
        input: Annotated[DisconnectMailboxInput, strawberry.argument(description="What to disconnect.")],
    ) -> DisconnectMailboxPayload:
        row = await use.disconnect_mailbox(info.context.caller, local_id(input.mailbox_id, "Mailbox"))
        return DisconnectMailboxPayload(mailbox=Mailbox.of(row))


# ---- subscriptions
@strawberry.type
class MailboxSubscriptions:
    @subscription(uses=mailbox_status, description="A mailbox now and after changes, at most once a second.")
    async def mailbox_status(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The mailbox to watch.")]
    ) -> AsyncIterator[Mailbox]:
        async with aclosing(mailbox_status(info.context.caller, local_id(id, "Mailbox"))) as changes:
            async for row in changes:
                yield Mailbox.of(row)
