"""The sandbox's SMTP at a raw socket: what it offers, what it refuses, and that no mail hides in another."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.clock import Clock, FixedClock
from app.sandbox.inbox import Disposition, Filter
from app.sandbox.main import Sandbox
from app.sandbox.smtp_dialogue import SIZE_LIMIT

START = "2026-03-01T09:00:00+00:00"


@dataclass
class Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 3)).decode()
            if not line:
                raise EOFError
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def say(self, text: str | bytes) -> str:
        self.write(text)
        return await self.reply()

    def write(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else f"{text}\r\n".encode())

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), 3) == b""
        except ConnectionError:
            return True


_LINES: list[Line] = []


@pytest.fixture(autouse=True)
def hanging_up() -> Iterator[None]:
    """Hangs up every line that a test has opened."""
    yield
    while _LINES:
        _LINES.pop().writer.close()


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as started:
        yield started


async def connect(sandbox: Sandbox, *, implicit: bool = True) -> Line:
    context = ssl.create_default_context(cafile=sandbox.ca_file) if implicit else None
    port = sandbox.ports.smtps if implicit else sandbox.ports.smtp
    line = Line(*await asyncio.open_connection("localhost", port, ssl=context, family=2))
    _LINES.append(line)
    assert (await line.reply()).startswith("220 ")
    return line


async def signed_in(sandbox: Sandbox, user: str = "alice@acme.example") -> Line:
    line = await connect(sandbox)
    await line.say("EHLO me.example")
    assert await line.say("AUTH PLAIN " + encoded(f"\0{user}\0pw")) == "235 2.7.0 Signed in"
    return line


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def envelope(line: Line, *recipients: str) -> None:
    assert await line.say("MAIL FROM:<alice@acme.example> SIZE=100 BODY=8BITMIME") == "250 2.1.0 Ok"
    for recipient in recipients or ("bob@lead.example",):
        assert await line.say(f"RCPT TO:<{recipient}>") == "250 2.1.5 Ok"
    assert (await line.say("DATA")).startswith("354 ")


async def test_signing_in_is_offered_only_under_tls(sandbox: Sandbox) -> None:
    line = await connect(sandbox, implicit=False)

    offered = await line.say("EHLO me.example")
    assert "STARTTLS" in offered
    assert "AUTH" not in offered
    assert (await line.say("AUTH PLAIN " + encoded("\0a\0b"))).startswith("538 5.7.11")
    assert (await line.say("MAIL FROM:<a@x.example>")).startswith("530 5.7.0")
    assert (await line.say("STARTTLS now")).startswith("501")


async def test_all_ways_of_signing_in_and_the_one_wrong_password(sandbox: Sandbox) -> None:
    line = await connect(sandbox)
    assert (await line.say("AUTH PLAIN " + encoded("\0a\0b"))).startswith("503")
    assert "AUTH PLAIN LOGIN" in await line.say("EHLO me.example")
    assert (await line.say("AUTH PLAIN " + encoded("\0alice\0wrong"))).startswith("535 5.7.8")
    assert (await line.say("AUTH PLAIN !!!")).startswith("501")
    assert (await line.say("AUTH GSSAPI")).startswith("504")
    assert await line.say("AUTH PLAIN") == "334 "
    assert (await line.say("*")).startswith("501")
    assert await line.say("AUTH LOGIN") == "334 VXNlcm5hbWU6"
    assert await line.say(encoded("alice")) == "334 UGFzc3dvcmQ6"
    assert (await line.say("%%%")).startswith("501")
    assert await line.say("AUTH LOGIN " + encoded("alice")) == "334 UGFzc3dvcmQ6"
    assert (await line.say(encoded("pw"))).startswith("235")
    assert (await line.say("AUTH PLAIN " + encoded("\0a\0b"))).startswith("503")

    line = await connect(sandbox)
    await line.say("EHLO me.example")
    assert await line.say("AUTH PLAIN") == "334 "
    assert (await line.say(encoded("\0alice\0pw"))).startswith("235")


async def test_a_mail_is_kept_as_it_was_meant_with_what_is_known_about_it(sandbox: Sandbox) -> None:
    line = await signed_in(sandbox)
    await envelope(line, "bob@lead.example", "Eve+dsn@Lead.example")

    raw = b"Message-ID: <m1@acme.example>\r\nSubject: Hello\r\n there\r\n\r\n.dot\r\n..\r\nend\r\n"
    reply = await line.say(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")

    assert reply == "250 2.0.0 Ok: queued as 1"
    [stored], more = sandbox.inbox.listed(Filter())
    attempt = stored.attempt
    assert not more
    assert sandbox.inbox.source(stored) == raw
    assert attempt.recipients == ("bob@lead.example", "Eve+dsn@Lead.example")
    assert (attempt.user, attempt.sender) == ("alice@acme.example", "alice@acme.example")
    assert (attempt.message_id, attempt.subject) == ("<m1@acme.example>", "Hello there")
    assert (attempt.disposition, attempt.behaviour) == (Disposition.ACCEPTED, "dsn")
    assert (attempt.tls, attempt.size_bytes) == ("TLSv1.3", len(raw))
    assert await line.say("QUIT") == "221 2.0.0 Bye"
    assert await line.ended()


SMUGGLED = b"MAIL FROM:<eve@evil.example>\r\nRCPT TO:<bob@lead.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


@pytest.mark.parametrize(
    "end", [b"\n.\r\n", b"\n.\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n", b"\r\r\n.\r\n"]
)
async def test_no_ending_but_crlf_dot_crlf_ends_a_mail(sandbox: Sandbox, end: bytes) -> None:
    line = await signed_in(sandbox)
    await envelope(line)

    reply = await line.say(b"Subject: first\r\n\r\nx" + end + SMUGGLED)

    assert reply == "554 5.5.0 The mail has a bare CR or LF, which can hide a second mail"
    assert await line.ended()
    assert sandbox.inbox.counts("disposition", Filter()) == {"REFUSED": 1}


async def test_a_mail_may_follow_a_mail_in_one_packet_only_up_to_data(sandbox: Sandbox) -> None:
    line = await signed_in(sandbox)
    line.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nSubject: early\r\n\r\nx\r\n.\r\n")

    replies = [await line.reply() for _ in range(3)]

    assert replies[2] == "554 5.5.0 A mail starts after the answer to DATA, not before"
    assert await line.ended()
    assert sandbox.inbox.counts("disposition", Filter()) == {"REFUSED": 1}


@pytest.mark.parametrize("command", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"NO\0OP\r\n", b"\n", b"x" * 20_000])
async def test_a_command_line_is_ended_by_crlf_alone(sandbox: Sandbox, command: bytes) -> None:
    line = await connect(sandbox)

    assert (await line.say(command)).startswith("554 5.5.0")
    assert await line.ended()


async def test_nothing_may_follow_starttls_before_tls(sandbox: Sandbox) -> None:
    line = await connect(sandbox, implicit=False)
    await line.say("EHLO me.example")

    assert (await line.say(b"STARTTLS\r\nEHLO evil.example\r\n")).startswith("554 5.5.0")
    assert await line.ended()


OUT_OF_ORDER = [
    ("RCPT TO:<b@x.example>", "503"),
    ("DATA", "503"),
    ("MAIL TO:<a@x.example>", "501"),
    ("MAIL FROM:a@x.example", "501"),
    ("MAIL FROM:<a b@x.example>", "501"),
    ("MAIL FROM:<" + "a" * 400 + "@x.example>", "501"),
    (f"MAIL FROM:<a@x.example> SIZE={SIZE_LIMIT + 1}", "552"),
    ("DATA now", "501"),
    ("EHLO", "501"),
    ("HELO", "501"),
    ("STARTTLS", "503"),
    ("VRFY bob", "500"),
    ("é", "500"),
    ("", "500"),
]


@pytest.mark.parametrize(("command", "code"), OUT_OF_ORDER)
async def test_what_is_out_of_order_is_refused_and_the_connection_goes_on(
    sandbox: Sandbox, command: str, code: str
) -> None:
    line = await signed_in(sandbox)

    assert (await line.say(command)).startswith(code)
    assert await line.say("RSET") == "250 2.0.0 Ok"
    assert await line.say("MAIL FROM:<>") == "250 2.1.0 Ok"
    assert (await line.say("MAIL FROM:<a@x.example>")).startswith("503")
    assert (await line.say("RCPT TO:<nobody>")).startswith("501")
    assert await line.say("NOOP") == "250 2.0.0 Ok"
    assert len(sandbox.inbox) == 0


async def test_without_a_valid_recipient_there_is_no_mail(sandbox: Sandbox) -> None:
    line = await signed_in(sandbox)
    await line.say("MAIL FROM:<a@x.example>")

    assert await line.say("RCPT TO:<b+unknown-user@x.example>") == "550 5.1.1 The address does not exist: user unknown"
    assert (await line.say("DATA")).startswith("554 5.5.1")
    [stored], _ = sandbox.inbox.listed(Filter(recipient="B+unknown-user@x.example"))
    assert (stored.attempt.disposition, stored.attempt.size_bytes) == (Disposition.REFUSED, 0)
    assert sandbox.inbox.source(stored) is None


async def test_recipients_are_limited(sandbox: Sandbox) -> None:
    line = await signed_in(sandbox)
    await line.say("MAIL FROM:<a@x.example>")
    for number in range(100):
        await line.say(f"RCPT TO:<b{number}@x.example>")

    assert (await line.say("RCPT TO:<b@x.example>")).startswith("452 4.5.3")


async def test_greylisting_lets_the_same_pair_in_after_a_while(tmp_path: Path) -> None:
    clock = FixedClock(Clock().now())
    async with Sandbox(tmp_path, clock=clock) as sandbox:
        line = await signed_in(sandbox)

        async def tried() -> str:
            await line.say("RSET")
            await line.say("MAIL FROM:<a@x.example>")
            return (await line.say("RCPT TO:<b+greylist@x.example>"))[:9]

        assert await tried() == "451 4.7.1"
        clock.move(0.9)
        assert await tried() == "451 4.7.1"
        clock.move(0.2)
        assert await tried() == "250 2.1.5"
        assert sandbox.inbox.counts("disposition", Filter()) == {"DEFERRED": 2}


async def test_a_slow_receiver_answers_by_the_clock(tmp_path: Path) -> None:
    async with Sandbox(tmp_path, clock=Clock(Clock().now(), speed=10)) as sandbox:
        line = await signed_in(sandbox)
        await envelope(line, "b+slow@x.example")

        started = asyncio.get_running_loop().time()
        line.write(b"Subject: x\r\n\r\n.\r\nNOOP\r\n")
        assert (await line.reply()).startswith("250 2.0.0 Ok: queued")
        assert asyncio.get_running_loop().time() - started > 0.25
        assert await line.reply() == "250 2.0.0 Ok"


async def test_what_is_accepted_for_later_is_kept_with_its_intention(sandbox: Sandbox) -> None:
    line = await signed_in(sandbox)
    for ending in ("dsn", "complaint", "reply", "out-of-office", "no-such-behaviour"):
        await envelope(line, f"b+{ending}@x.example")
        await line.say(b"Subject: x\r\n\r\n.\r\n")

    assert sandbox.inbox.counts("behaviour", Filter(disposition="ACCEPTED")) == {
        "dsn": 1,
        "complaint": 1,
        "reply": 1,
        "out-of-office": 1,
        "accept": 1,
    }


async def test_a_giant_mail_is_cut_off(sandbox: Sandbox) -> None:
    line = await signed_in(sandbox)
    await envelope(line)

    for _ in range(SIZE_LIMIT // 1_000_000 + 2):
        line.write(b"x" * 998 + b"\r\n")
        line.write((b"x" * 998 + b"\r\n") * 999)

    assert (await line.reply()).startswith("552 5.3.4")


async def test_stopping_says_goodbye(tmp_path: Path) -> None:
    async with Sandbox(tmp_path) as sandbox:
        line = await signed_in(sandbox)

    assert (await line.reply()).startswith("421 4.3.2")
    assert await line.ended()
