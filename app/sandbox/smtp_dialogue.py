"""One SMTP conversation without its socket (RFC 5321, 3207, 4954, 2920): lines in, replies and next steps out."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from app.outreach.rules.message_identity import parse_message_id
from app.sandbox.behaviours import (
    AT_END,
    AT_RECIPIENT,
    GREYLIST_SECONDS,
    GREYLISTED,
    SLOW_SECONDS,
    Answer,
    Mailbox,
    Receiver,
    mailbox_of,
    receiver_of,
)
from app.sandbox.inbox import Attempt, Disposition, Inbox

GREETING = "220 smtp.sandbox.example ESMTP PenguinMails sandbox"
SIZE_LIMIT = 32 * 1024 * 1024
RECIPIENT_LIMIT = 100
WRONG_PASSWORD = "wrong"  # noqa: S105
_PATH = re.compile(r"(FROM|TO):\s*<([^<>\s]*)>((?: [A-Za-z0-9-]+(?:=[!-~]*)?)*)\s*", re.IGNORECASE)
_LONGEST_ADDRESS = 320
_MESSAGE_ID = re.compile(rb"^Message-ID:[ \t]*(?:\r\n[ \t]+)?([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_SUBJECT = re.compile(rb"^Subject:[ \t]*([^\r\n]*(?:\r\n[ \t]+[^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)


class Next(Enum):
    """What the connection does after a reply."""

    GO_ON = auto()
    START_TLS = auto()
    READ_MAIL = auto()
    CLOSE = auto()
    DROP = auto()
    STALL = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """A reply (with its line end; empty for none), what comes next, and how long the reply waits."""

    reply: bytes
    next: Next = Next.GO_ON
    delay_seconds: float = 0.0


@dataclass(slots=True)
class Greylist:
    """When each pair of recipient and sender was first seen. Forgotten at a restart, like many a real one."""

    first_seen_at: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def wait_seconds(self, recipient: str, sender: str, now: datetime) -> float:
        """Seconds until the pair is let in; 0 when it is."""
        opens_at = self.first_seen_at.setdefault((recipient, sender), now) + timedelta(seconds=GREYLIST_SECONDS)
        return max(0.0, (opens_at - now).total_seconds())


class Dialogue:
    """The state of one connection. `tls` is the version's name once the connection is secured."""

    def __init__(self, inbox: Inbox, greylist: Greylist, now: Callable[[], datetime], *, tls: str | None) -> None:
        self._inbox = inbox
        self._greylist = greylist
        self._now = now
        self.tls = tls
        self._greeted = False
        self._user = ""
        self._mailbox = Mailbox.NORMAL
        self._login: list[str] | None = None
        self._sender: str | None = None
        self._recipients: list[str] = []

    def line(self, line: bytes) -> Step:
        """The answer to one command line, without its line end."""
        if self._login is not None:
            return self._login_answer(line)
        try:
            text = line.decode("ascii")
        except UnicodeDecodeError:
            return _step("500 5.5.2 Commands are ASCII")
        verb, _, rest = text.partition(" ")
        command = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }.get(verb.upper())
        return _step("500 5.5.1 Command not known") if command is None else command(rest.strip())

    def mail(self, raw: bytes) -> Step:
        """The answer to a transmitted mail, without its final dot and dot stuffing. The mail is kept first."""
        behaviours = [receiver_of(each) for each in self._recipients]
        chosen = next((each for each in behaviours if each is not Receiver.ACCEPT), Receiver.ACCEPT)
        answer = AT_END.get(chosen) or Answer(f"250 2.0.0 Ok: queued as {len(self._inbox) + 1}")
        disposition = _disposition(answer.text)
        step = _step(answer.text, Next.CLOSE if answer.closes else Next.GO_ON)
        if chosen is Receiver.DROP_AFTER_DATA or self._mailbox is Mailbox.DROP_AFTER_DOT:
            disposition, step = Disposition.TAKEN_SILENTLY, Step(b"", Next.DROP)
        elif chosen is Receiver.SLOW:
            step = Step(step.reply, step.next, SLOW_SECONDS)
        behaviour = chosen.value if self._mailbox is Mailbox.NORMAL else self._mailbox.value
        self._keep(disposition, behaviour, step.reply, raw)
        self._forget()
        return step

    def violation(self, what: str) -> Step:
        """The answer to bytes that break the protocol in a way that smuggles mails; the connection ends."""
        step = _step(f"554 5.5.0 {what}", Next.CLOSE)
        if self._sender is not None:
            self._keep(Disposition.REFUSED, "violation", step.reply, None)
        return step

    def too_large(self) -> Step:
        step = _step(f"552 5.3.4 The mail is larger than {SIZE_LIMIT} bytes", Next.CLOSE)
        self._keep(Disposition.REFUSED, "size", step.reply, None)
        return step

    def secured(self, tls: str) -> None:
        """RFC 3207, section 4.2: all that was said before TLS is forgotten."""
        self.tls = tls
        self._greeted = False
        self._forget()

    def _ehlo(self, name: str) -> Step:
        if not name:
            return _step("501 5.5.4 EHLO needs a name")
        self._greeted = True
        self._forget()
        offered = ["smtp.sandbox.example", "PIPELINING", f"SIZE {SIZE_LIMIT}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        offered.append("STARTTLS" if self.tls is None else "AUTH PLAIN LOGIN")
        lines = [f"250-{each}\r\n" for each in offered[:-1]] + [f"250 {offered[-1]}\r\n"]
        return Step("".join(lines).encode("ascii"))

    def _helo(self, name: str) -> Step:
        self._greeted = bool(name)
        return _step("250 smtp.sandbox.example" if name else "501 5.5.4 HELO needs a name")

    def _starttls(self, rest: str) -> Step:
        if self.tls is not None:
            return _step("503 5.5.1 TLS is already on")
        return _step("501 5.5.4 STARTTLS stands alone") if rest else _step("220 2.0.0 Go ahead", Next.START_TLS)

    def _auth(self, rest: str) -> Step:
        if self.tls is None:
            return _step("538 5.7.11 Sign in only after STARTTLS")
        if not self._greeted or self._user:
            return _step("503 5.5.1 Sign in once, after EHLO")
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "PLAIN" and initial:
            return self._plain(initial)
        if mechanism.upper() == "PLAIN":
            self._login = ["PLAIN"]
            return _step("334 ")
        if mechanism.upper() == "LOGIN":
            self._login = ["LOGIN"]
            return self._login_answer(initial.encode("ascii")) if initial else _step("334 VXNlcm5hbWU6")
        return _step("504 5.5.4 AUTH knows PLAIN and LOGIN")

    def _login_answer(self, line: bytes) -> Step:
        assert self._login is not None
        given, self._login = self._login, None
        if line == b"*":
            return _step("501 5.7.0 Sign-in cancelled")
        if given == ["PLAIN"]:
            return self._plain(line.decode("ascii", "replace"))
        decoded = _decoded(line.decode("ascii", "replace"))
        if decoded is None:
            return _step("501 5.5.2 That is not base64")
        if len(given) == 1:
            self._login = [*given, decoded]
            return _step("334 UGFzc3dvcmQ6")
        return self._signed_in(given[1], decoded)

    def _plain(self, encoded: str) -> Step:
        parts = (_decoded(encoded) or "").split("\0")
        return self._signed_in(parts[1], parts[2]) if len(parts) == 3 else _step("501 5.5.2 That is not AUTH PLAIN")

    def _signed_in(self, user: str, password: str) -> Step:
        if not user or password == WRONG_PASSWORD or mailbox_of(user) is Mailbox.REFUSE_AUTH:
            return _step("535 5.7.8 The user name or the password is not right")
        if mailbox_of(user) is Mailbox.TEMPFAIL_AUTH:
            return _step("454 4.7.0 Temporary authentication failure")
        self._user, self._mailbox = user, mailbox_of(user)
        return _step("235 2.7.0 Signed in")

    def _mail(self, rest: str) -> Step:
        match = _PATH.fullmatch(rest)
        if match is None or match[1].upper() != "FROM" or len(match[2]) > _LONGEST_ADDRESS:
            return _step("501 5.5.4 Write MAIL FROM:<address>")
        if self.tls is None:
            return _step("530 5.7.0 Issue a STARTTLS command first")
        if not self._user:
            return _step("530 5.7.0 Sign in first")
        if self._sender is not None:
            return _step("503 5.5.1 A mail is already begun")
        if self._mailbox is Mailbox.STALL:
            return Step(b"", Next.STALL)
        if self._mailbox is Mailbox.REFUSE_SENDER:
            return _step("553 5.7.1 Sender address rejected: not owned by user")
        size = re.search(r" SIZE=(\d{1,20})(?: |$)", match[3], re.IGNORECASE)
        if size is not None and int(size[1]) > SIZE_LIMIT:
            return _step("552 5.3.4 The mail is larger than the limit")
        self._sender = match[2]
        return _step("250 2.1.0 Ok")

    def _rcpt(self, rest: str) -> Step:
        match = _PATH.fullmatch(rest)
        if match is None or match[1].upper() != "TO" or "@" not in match[2] or len(match[2]) > _LONGEST_ADDRESS:
            return _step("501 5.5.4 Write RCPT TO:<address>")
        if self._sender is None:
            return _step("503 5.5.1 MAIL comes first")
        if len(self._recipients) == RECIPIENT_LIMIT:
            return _step("452 4.5.3 Too many recipients")
        recipient = match[2]
        behaviour = receiver_of(recipient)
        answer = AT_RECIPIENT.get(behaviour)
        if behaviour is Receiver.GREYLIST:
            wait = self._greylist.wait_seconds(recipient, self._sender, self._now())
            answer = Answer(GREYLISTED.text.format(seconds=wait + 0.5)) if wait > 0 else None
        if answer is None:
            self._recipients.append(recipient)
            return _step("250 2.1.5 Ok")
        step = _step(answer.text)
        self._keep(_disposition(answer.text), behaviour.value, step.reply, None, recipients=(recipient,))
        return step

    def _data(self, rest: str) -> Step:
        if rest:
            return _step("501 5.5.4 DATA stands alone")
        if not self._recipients:
            return _step("503 5.5.1 MAIL comes first" if self._sender is None else "554 5.5.1 No valid recipients")
        if self._mailbox in (Mailbox.DROP_BEFORE_DATA, Mailbox.DROP_BEFORE_DOT):
            before_dot = self._mailbox is Mailbox.DROP_BEFORE_DOT
            step = Step(b"354 End with a dot on a line of its own\r\n" if before_dot else b"", Next.DROP)
            self._keep(Disposition.DROPPED, self._mailbox.value, step.reply, None)
            return step
        return _step("354 End with a dot on a line of its own", Next.READ_MAIL)

    def _rset(self, _: str) -> Step:
        self._forget()
        return _step("250 2.0.0 Ok")

    def _noop(self, _: str) -> Step:
        return _step("250 2.0.0 Ok")

    def _quit(self, _: str) -> Step:
        return _step("221 2.0.0 Bye", Next.CLOSE)

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []

    def _keep(
        self,
        disposition: Disposition,
        behaviour: str,
        reply: bytes,
        raw: bytes | None,
        *,
        recipients: tuple[str, ...] | None = None,
    ) -> None:
        head = b"" if raw is None else raw.partition(b"\r\n\r\n")[0] + b"\r\n"
        message_id, subject = _value(_MESSAGE_ID, head), _value(_SUBJECT, head)
        identity = None if message_id is None else parse_message_id(message_id)
        attempt = Attempt(
            received_at=self._now(),
            disposition=disposition,
            behaviour=behaviour,
            reply=reply.decode("ascii").strip(),
            user=self._user,
            sender=self._sender or "",
            recipients=tuple(self._recipients) if recipients is None else recipients,
            message_id=message_id,
            tenant_id=None if identity is None else str(identity.tenant_id),
            subject=subject,
            tls=self.tls,
            size_bytes=0 if raw is None else len(raw),
        )
        self._inbox.append(attempt, raw)


def _step(text: str, after: Next = Next.GO_ON) -> Step:
    return Step(text.encode("ascii") + b"\r\n", after)


def _disposition(reply: str) -> Disposition:
    return {"2": Disposition.ACCEPTED, "4": Disposition.DEFERRED}.get(reply[0], Disposition.REFUSED)


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _value(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    match = pattern.search(head)
    return None if match is None else match[1].replace(b"\r\n", b"").decode("utf-8", "replace").strip()
