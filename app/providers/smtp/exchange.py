"""Commands out, replies in (RFC 5321, RFC 2920): a protocol that can pipeline and knows what it has sent."""

import asyncio
import re
from collections import deque
from typing import cast

from app.outreach.rules.smtp_replies import SmtpReply

LONGEST_REPLY = 64 * 1024
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])([^\r\n]*))?\r?")


class ConnectionEnded(Exception):
    """The connection is gone, or its other end does not speak SMTP; the message says which."""


class SmtpExchange(asyncio.Protocol):
    """Takes a connection over once it is open and signed in. Replies are read in order, one waiter at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._lines: list[tuple[int, bytes]] = []
        self._replies: deque[SmtpReply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._ended: str | None = None
        transport.set_protocol(self)

    @property
    def open(self) -> bool:
        """Whether the connection still stands and the server has said nothing out of turn."""
        return self._ended is None and not self._transport.is_closing() and not self._replies

    def early_reply(self) -> SmtpReply | None:
        """What the server said without being asked, such as "421 closing"."""
        return self._replies[0] if self._replies else None

    def write(self, data: bytes) -> None:
        """Hands bytes to the network. Raises ConnectionEnded; then none of them has left."""
        if self._ended is not None or self._transport.is_closing():
            raise ConnectionEnded(self._ended or "the connection is closed")
        self._transport.write(data)

    async def drained(self, seconds: float) -> None:
        """Waits until the network has room again. Raises ConnectionEnded or TimeoutError."""
        if self._room is not None:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._room)
        if self._ended is not None:
            raise ConnectionEnded(self._ended)

    async def reply(self, seconds: float) -> SmtpReply:
        """The next reply. Raises ConnectionEnded when none can come any more, TimeoutError when none came."""
        if not self._replies:
            if self._ended is not None:
                raise ConnectionEnded(self._ended)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            finally:
                self._waiter = None
        if not self._replies:
            raise ConnectionEnded(self._ended or "the connection is closed")
        return self._replies.popleft()

    def abort(self) -> None:
        """Drops the connection at once, with what is not yet sent."""
        self._end("we dropped the connection")
        self._transport.abort()

    def close(self) -> None:
        self._end("we closed the connection")
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        complete, found, rest = self._buffer.rpartition(b"\n")
        if found:
            self._buffer = rest
            for line in complete.split(b"\n"):
                self._take(bytes(line))
        if len(self._buffer) + sum(len(text) for _, text in self._lines) > LONGEST_REPLY:
            self._refuse()

    def _take(self, line: bytes) -> None:
        match = _REPLY_LINE.fullmatch(line)
        if match is None:
            self._refuse()
            return
        self._lines.append((int(match[1]), match[3] or b""))
        if match[2] != b"-":
            self._finish()

    def _refuse(self) -> None:
        self._end("the server's answer is not SMTP")
        self._transport.abort()

    def eof_received(self) -> bool:
        self._end("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was lost" if exc is None else f"the connection was lost ({exc})")

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def _finish(self) -> None:
        text = b"\n".join(text for _, text in self._lines).decode("utf-8", "replace")
        self._replies.append(SmtpReply(self._lines[-1][0], text))
        self._lines = []
        self._wake()

    def _end(self, reason: str) -> None:
        if self._ended is None:
            self._ended = reason
        self.resume_writing()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def take_over(transport: asyncio.BaseTransport | None) -> SmtpExchange:
    """Puts an exchange in the place of the protocol that opened the connection. Raises ConnectionEnded."""
    if transport is None or transport.is_closing():
        raise ConnectionEnded("the server closed the connection")
    return SmtpExchange(cast(asyncio.Transport, transport))
