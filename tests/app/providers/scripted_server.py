"""An SMTP server that follows a script, word for word, on a real socket: for what no good server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.outreach.ports import SmtpSecurity, SmtpServer
from app.providers.egress import EgressGuard
from app.providers.smtp.session import SmtpTimeouts
from app.providers.smtp.submitter import SmtpSubmitter


@dataclass
class Conversation:
    """The server's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[bytes] = field(default_factory=list)

    async def hear(self, prefix: str) -> str:
        """The next line; it must start with `prefix`."""
        line = await self.reader.readuntil(b"\r\n")
        self.heard.append(line)
        assert line.startswith(prefix.encode()), (prefix, line)
        return line.decode().strip()

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear_mail(self) -> bytes:
        """A mail up to and with its final dot."""
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        self.heard.append(raw)
        return raw

    async def greet(self, *extensions: str) -> None:
        await self.say("220 scripted.example ESMTP")
        await self.hear("EHLO api.example")
        lines = ["scripted.example", *extensions]
        await self.say(*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}")

    async def take_envelope(self) -> None:
        for verb, reply in (("MAIL", "250 2.1.0 Ok"), ("RCPT", "250 2.1.5 Ok"), ("DATA", "354 Go")):
            await self.hear(verb)
            await self.say(reply)

    async def silence(self) -> None:
        """Says nothing until the other side goes away."""
        while await self.reader.read(65_536):
            pass


Script = Callable[[Conversation], Awaitable[None]]


@dataclass
class ScriptedServer:
    """`problems` holds what the script itself found wrong."""

    port: int = 0
    conversations: list[Conversation] = field(default_factory=list)
    problems: list[BaseException] = field(default_factory=list)

    def server(self, security: SmtpSecurity = SmtpSecurity.PLAIN, *, username: str = "") -> SmtpServer:
        return SmtpServer("127.0.0.1", self.port, security, username, "secret")

    def submitter(self, **timeouts: float) -> SmtpSubmitter:
        values = {"connect": 5.0, "greeting": 5.0, "command": 5.0, "final_dot": 5.0, **timeouts}
        guard = EgressGuard([f"127.0.0.1:{self.port}"])
        return SmtpSubmitter(guard, local_hostname="api.example", timeouts=SmtpTimeouts(**values))


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[ScriptedServer]:
    """Runs the script for every connection; its own failures fail the test at the end."""
    told = ScriptedServer()
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer)
        told.conversations.append(conversation)
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await script(conversation)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except AssertionError as error:
            told.problems.append(error)
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()
    assert not told.problems, told.problems
