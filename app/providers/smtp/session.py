"""One signed-in connection that submits many mails, and is exact about the moment at which doubt begins."""

import asyncio
import re
from dataclasses import dataclass

from app.outreach.ports import Accepted, ConnectionProblem, InDoubt, NotSubmitted, Refused, SubmitOutcome
from app.outreach.rules.smtp_replies import Phase, SmtpReply
from app.providers.smtp.exchange import ConnectionEnded, SmtpExchange

_ADDRESS = re.compile(r"[!-~]{1,254}", re.ASCII)
_CHUNK = 64 * 1024
_GO_AHEAD = 354
_CLOSING = 421


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """How long to wait, in seconds. RFC 5321, section 4.5.3.2 wants 5 minutes a command and 10 for the final dot; a
    campaign's mail can be put back, so only the final dot, after which doubt begins, gets long.

    `before_final_dot`: a pause that lets news of a lost connection arrive before the mail is ended. Zero looks only
    at what has arrived already.
    """

    connect: float = 15.0
    greeting: float = 30.0
    command: float = 60.0
    final_dot: float = 300.0
    before_final_dot: float = 0.0


class SmtpSession:
    """Implements app.outreach.ports.MailSession."""

    def __init__(self, exchange: SmtpExchange, *, extensions: frozenset[str], timeouts: SmtpTimeouts) -> None:
        self._exchange = exchange
        self._pipelining = "pipelining" in extensions
        self._size = "size" in extensions
        self._timeouts = timeouts
        self._usable = True
        self._phase = Phase.MAIL
        self._reset_first = False

    @property
    def usable(self) -> bool:
        return self._usable and self._exchange.open

    async def submit(self, *, return_path: str, recipient: str, raw: bytes) -> SubmitOutcome:
        """See MailSession. `raw` has CRLF line ends throughout; `return_path` may be empty (RFC 5321, 4.5.5)."""
        commands = self._commands(return_path, recipient, len(raw))
        if not raw.endswith(b"\r\n"):
            raise ValueError("a mail ends with CRLF")
        try:
            return await self._submit(commands, _stuffed(raw))
        except BaseException:
            self._drop()
            raise

    async def sender_reply(self, sender: str) -> SmtpReply:
        """What the server says to MAIL FROM `sender`; the transaction is reset. Raises ConnectionEnded, TimeoutError."""
        self._exchange.write(self._commands(sender, sender, 1_000)[0][1])
        reply = await self._exchange.reply(self._timeouts.command)
        if reply.code // 100 == 2:
            self._exchange.write(b"RSET\r\n")
            await self._exchange.reply(self._timeouts.command)
        return reply

    async def quit(self) -> None:
        """Ends politely where the server is still there; never raises for what it does."""
        try:
            if self.usable:
                self._exchange.write(b"QUIT\r\n")
                await self._exchange.reply(min(2.0, self._timeouts.command))
        except (ConnectionEnded, TimeoutError):
            self._usable = False
        finally:
            self._exchange.close()

    def _commands(self, return_path: str, recipient: str, size: int) -> list[tuple[Phase, bytes]]:
        for address in (return_path or "x", recipient):
            if _ADDRESS.fullmatch(address) is None or "<" in address or ">" in address:
                raise ValueError(f"{address!r} cannot stand in an SMTP command")
        parameter = f" SIZE={size}" if self._size else ""
        return [
            (Phase.MAIL, f"MAIL FROM:<{return_path}>{parameter}\r\n".encode("ascii")),
            (Phase.RCPT, f"RCPT TO:<{recipient}>\r\n".encode("ascii")),
            (Phase.DATA, b"DATA\r\n"),
        ]

    async def _submit(self, commands: list[tuple[Phase, bytes]], payload: bytes) -> SubmitOutcome:
        self._phase = Phase.MAIL
        try:
            self._check_silence()
            if self._reset_first:
                self._exchange.write(b"RSET\r\n")
                await self._exchange.reply(self._timeouts.command)
                self._reset_first = False
            refused = await self._open_transaction(commands)
            if refused is not None:
                return refused
            await self._send_body(payload)
            self._check_silence()
            self._exchange.write(b".\r\n")
        except ConnectionEnded as ended:
            return self._not_submitted(ConnectionProblem.LOST, f"Before the mail was handed over, {ended}.")
        except TimeoutError:
            return self._not_submitted(
                ConnectionProblem.TIMEOUT, f"The server did not answer {self._phase} within the time it has."
            )
        return await self._final_reply()

    def _check_silence(self) -> None:
        early = self._exchange.early_reply()
        if early is not None:
            raise ConnectionEnded(f"the server said: {early}")

    async def _open_transaction(self, commands: list[tuple[Phase, bytes]]) -> Refused | None:
        """MAIL, RCPT and DATA, in one packet where the server allows it. None when the server waits for the mail."""
        if self._pipelining:
            self._exchange.write(b"".join(line for _, line in commands))
        refused: Refused | None = None
        last: SmtpReply | None = None
        try:
            for self._phase, line in commands:
                if not self._pipelining:
                    self._exchange.write(line)
                last = await self._exchange.reply(self._timeouts.command)
                taken = last.code == _GO_AHEAD if self._phase is Phase.DATA else last.code // 100 == 2
                if not taken and refused is None:
                    refused = Refused(self._phase, last)
                if refused is not None and (last.code == _CLOSING or not self._pipelining):
                    break
            if refused is not None:
                assert last is not None
                await self._leave_transaction(refused, last=last)
        except (ConnectionEnded, TimeoutError):
            if refused is None:
                raise
            self._drop()
        return refused

    async def _leave_transaction(self, refused: Refused, *, last: SmtpReply) -> None:
        """Brings the connection to where another mail can start. RFC 2920, section 3.1: a server that waits for a mail
        without a recipient gets a lone dot."""
        if _CLOSING in (last.code, refused.reply.code):
            self._usable = False
        elif last.code == _GO_AHEAD and refused.phase is Phase.RCPT:
            self._exchange.write(b".\r\n")
            await self._exchange.reply(self._timeouts.command)
        elif last.code == _GO_AHEAD:
            self._drop()
        else:
            self._reset_first = refused.phase is not Phase.MAIL

    def _drop(self) -> None:
        self._usable = False
        self._exchange.abort()

    async def _send_body(self, payload: bytes) -> None:
        for start in range(0, len(payload), _CHUNK):
            self._exchange.write(payload[start : start + _CHUNK])
            await self._exchange.drained(self._timeouts.command)
        # Two turns of the loop: one to hear of a closed connection, one to take the news in.
        await asyncio.sleep(0)
        await asyncio.sleep(self._timeouts.before_final_dot)

    async def _final_reply(self) -> SubmitOutcome:
        """From here on nothing but the server's word tells whether it has the mail."""
        self._phase = Phase.AFTER_DATA
        try:
            reply = await self._exchange.reply(self._timeouts.final_dot)
        except ConnectionEnded as ended:
            return self._in_doubt(f"After the mail's end was sent, {ended}.")
        except TimeoutError:
            return self._in_doubt(
                f"No answer came within {self._timeouts.final_dot:.0f} s after the mail's end was sent."
            )
        if reply.code == _CLOSING:
            self._usable = False
        if reply.code // 100 == 2:
            return Accepted(reply)
        if reply.code // 100 in (4, 5):
            return Refused(Phase.AFTER_DATA, reply)
        return self._in_doubt(f"After the mail's end was sent, the server said {reply}, which is not an answer.")

    def _not_submitted(self, problem: ConnectionProblem, reason: str) -> NotSubmitted:
        self._drop()
        return NotSubmitted(self._phase, problem, reason)

    def _in_doubt(self, reason: str) -> InDoubt:
        self._drop()
        return InDoubt(reason)


def _stuffed(raw: bytes) -> bytes:
    """A dot before every line that starts with one (RFC 5321, section 4.5.2)."""
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
