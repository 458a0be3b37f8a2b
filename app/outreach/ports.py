"""What outreach needs from outside: somebody who hands mails to a mailbox's own SMTP server."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.outreach.rules.smtp_replies import Phase, SmtpReply


class SmtpSecurity(StrEnum):
    """How the connection is protected: TLS from the first byte (465), TLS after STARTTLS (587), or not at all.

    PLAIN is refused for every host that the operator has not listed in PENGUINMAILS_EGRESS_ALLOW.
    """

    IMPLICIT_TLS = "IMPLICIT_TLS"
    STARTTLS = "STARTTLS"
    PLAIN = "PLAIN"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where a mailbox submits its mail, and as whom. An empty `username` means without signing in."""

    host: str
    port: int
    security: SmtpSecurity
    username: str
    password: str = field(repr=False)


class ConnectionProblem(StrEnum):
    """Why a server could not be used."""

    HOST_REFUSED = "HOST_REFUSED"
    DNS = "DNS"
    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    CERTIFICATE = "CERTIFICATE"
    TLS = "TLS"
    NOT_SMTP = "NOT_SMTP"
    STARTTLS_MISSING = "STARTTLS_MISSING"
    AUTH_MISSING = "AUTH_MISSING"
    AUTH_REFUSED = "AUTH_REFUSED"
    SENDER_REFUSED = "SENDER_REFUSED"
    SERVER_REFUSED = "SERVER_REFUSED"
    LOST = "LOST"


class ServerUnusable(Exception):
    """No session could be opened; nothing was sent. `reply` holds the server's words where it spoke."""

    def __init__(
        self, problem: ConnectionProblem, reason: str, *, phase: Phase, reply: SmtpReply | None = None
    ) -> None:
        super().__init__(reason)
        self.problem = problem
        self.reason = reason
        self.phase = phase
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has taken the mail, in these words."""

    reply: SmtpReply


@dataclass(frozen=True, slots=True)
class Refused:
    """The server has answered no, and keeps nothing of the mail."""

    phase: Phase
    reply: SmtpReply


@dataclass(frozen=True, slots=True)
class NotSubmitted:
    """The connection failed before the end of the mail was handed to it: the server cannot have taken it."""

    phase: Phase
    problem: ConnectionProblem
    reason: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The end of the mail went out and no valid answer came back: the server may or may not have taken it."""

    reason: str


SubmitOutcome = Accepted | Refused | NotSubmitted | InDoubt


@dataclass(frozen=True, slots=True)
class ConnectionVerdict:
    """What a connection test found: a sentence for the person who connects the mailbox."""

    problem: ConnectionProblem | None
    sentence: str
    reply: SmtpReply | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None


class MailSession(Protocol):
    """One open, signed-in connection. One submit at a time."""

    @property
    def usable(self) -> bool:
        """False once the connection is lost or the server has announced its end: open another session."""
        ...

    async def submit(self, *, return_path: str, recipient: str, raw: bytes) -> SubmitOutcome:
        """Hands one finished mail over. Never raises for what the network or the server does.

        When the task is cancelled inside, the connection is closed and the mail's state is unknown: treat it as
        InDoubt. Raises ValueError for addresses that cannot stand in a command.
        """
        ...


class MailSubmitter(Protocol):
    """Opens sessions to the SMTP servers that mailboxes name."""

    def session(self, server: SmtpServer) -> AbstractAsyncContextManager[MailSession]:
        """Connects, secures, signs in; ends with QUIT. Raises ServerUnusable on entering."""
        ...

    async def check(self, server: SmtpServer, *, sender: str) -> ConnectionVerdict:
        """Tries everything but sending: connect, TLS, sign in, MAIL FROM `sender`, RSET, QUIT."""
        ...


@dataclass(frozen=True, slots=True)
class SandboxMail:
    """A mail that the sandbox received, at its place among all that it saw; `source` is the mail as transmitted."""

    position: int
    received_at: datetime
    disposition: str
    behaviour: str
    reply: str
    sender: str
    recipients: tuple[str, ...]
    message_id: str | None
    subject: str | None
    tls: str | None
    size_bytes: int
    source: str


class SandboxAway(Exception):
    """The sandbox does not answer."""


class SandboxInbox(Protocol):
    """What the sandbox, where there is one, received."""

    @property
    def is_there(self) -> bool:
        """Whether this deployment has a sandbox."""
        ...

    async def received(self, tenant_id: UUID, *, after: int, first: int) -> tuple[list[SandboxMail], bool]:
        """Mails whose Message-ID names the tenant, oldest first, and whether more follow. Raises SandboxAway."""
        ...
