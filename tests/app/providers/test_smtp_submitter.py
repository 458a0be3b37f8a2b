"""session and check: what can be wrong with a mailbox's server, each in a sentence; and real mail to the sandbox."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from app.outreach.ports import (
    Accepted,
    ConnectionProblem,
    InDoubt,
    MailSubmitter,
    NotSubmitted,
    Refused,
    ServerUnusable,
    SmtpSecurity,
    SmtpServer,
)
from app.outreach.rules.smtp_replies import Phase
from app.providers.egress import EgressGuard
from app.providers.smtp.session import SmtpTimeouts
from app.providers.smtp.submitter import SmtpSubmitter
from app.sandbox.inbox import Disposition, Filter
from app.sandbox.main import Sandbox
from tests.app.providers.scripted_server import Conversation, scripted

RAW = b"From: a@acme.example\r\nMessage-ID: <m@acme.example>\r\nSubject: x\r\n\r\nHello\r\n"
TIMEOUTS = SmtpTimeouts(connect=2, greeting=1, command=2, final_dot=2)


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as started:
        yield started


@pytest.fixture
def submitter(sandbox: Sandbox) -> SmtpSubmitter:
    ports = sandbox.ports
    allowed = [f"{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (ports.smtp, ports.smtps)]
    guard = EgressGuard([*allowed, f"localhost:{ports.wrong_certificate}", f"localhost:{ports.http}"])
    return SmtpSubmitter(guard, local_hostname="api.example", trust_ca_file=sandbox.ca_file, timeouts=TIMEOUTS)


@pytest.fixture
def server(sandbox: Sandbox) -> SmtpServer:
    return SmtpServer("localhost", sandbox.ports.smtp, SmtpSecurity.STARTTLS, "alice@acme.example", "secret")


async def test_check_passes_over_starttls_and_implicit_tls(
    sandbox: Sandbox, submitter: MailSubmitter, server: SmtpServer
) -> None:
    implicit = replace(server, host="127.0.0.1", port=sandbox.ports.smtps, security=SmtpSecurity.IMPLICIT_TLS)

    for each in (server, implicit):
        verdict = await submitter.check(each, sender="alice@acme.example")
        assert verdict.ok, verdict
        assert verdict.sentence == f"{each.host} takes mail from alice@acme.example."
    assert len(sandbox.inbox) == 0


async def test_check_says_what_is_wrong(sandbox: Sandbox, submitter: SmtpSubmitter, server: SmtpServer) -> None:
    ports = sandbox.ports
    implicit = SmtpSecurity.IMPLICIT_TLS
    wrong = replace(server, port=ports.wrong_certificate, security=implicit)
    cases = [
        (
            replace(server, password="wrong"),
            ConnectionProblem.AUTH_REFUSED,
            "refuses the user name or the password: 535",
        ),
        (replace(server, username="a+refuse-auth@x.example"), ConnectionProblem.AUTH_REFUSED, "535 5.7.8"),
        (replace(server, username="a+refuse-sender@x.example"), ConnectionProblem.SENDER_REFUSED, "553 5.7.1"),
        (
            replace(server, username="a+stall@x.example"),
            ConnectionProblem.TIMEOUT,
            "did not answer to the sender in time",
        ),
        (replace(server, security=implicit), ConnectionProblem.TLS, "does not start with TLS: choose STARTTLS"),
        (wrong, ConnectionProblem.CERTIFICATE, "cannot be trusted: Hostname mismatch"),
        (replace(server, port=ports.smtps), ConnectionProblem.TIMEOUT, "choose IMPLICIT_TLS"),
        (replace(server, port=ports.http), ConnectionProblem.TIMEOUT, "stopped answering"),
        (replace(server, port=1), ConnectionProblem.HOST_REFUSED, "not a public one"),
        (replace(server, host="127.1"), ConnectionProblem.HOST_REFUSED, "unusual form"),
        (replace(server, host="nowhere.invalid"), ConnectionProblem.DNS, "no address"),
    ]

    for each, problem, words in cases:
        verdict = await submitter.check(each, sender="alice@acme.example")
        assert verdict.problem is problem, verdict
        assert words in verdict.sentence
        assert verdict.sentence.endswith(".")
        assert "secret" not in verdict.sentence
    assert len(sandbox.inbox) == 0


async def test_an_authority_that_is_not_trusted_is_a_certificate_problem(sandbox: Sandbox, server: SmtpServer) -> None:
    guard = EgressGuard([f"localhost:{sandbox.ports.smtp}", f"localhost:{sandbox.ports.smtps}"])
    distrusting = SmtpSubmitter(guard, local_hostname="api.example", timeouts=TIMEOUTS)
    implicit = replace(server, port=sandbox.ports.smtps, security=SmtpSecurity.IMPLICIT_TLS)

    for each in (server, implicit):
        verdict = await distrusting.check(each, sender="alice@acme.example")
        assert verdict.problem is ConnectionProblem.CERTIFICATE
        assert "unable to get local issuer certificate" in verdict.sentence


async def test_a_port_where_nothing_listens_and_one_that_is_not_smtp() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    guard = EgressGuard([f"127.0.0.1:{port}"])
    submitter = SmtpSubmitter(guard, local_hostname="api.example", timeouts=TIMEOUTS)
    verdict = await submitter.check(
        SmtpServer("127.0.0.1", port, SmtpSecurity.STARTTLS, "a", "b"), sender="a@x.example"
    )
    assert verdict.problem is ConnectionProblem.UNREACHABLE
    assert "check the port and the firewall" in verdict.sentence

    async def ssh(talk: Conversation) -> None:
        await talk.say("SSH-2.0-OpenSSH_9.6")
        await talk.silence()

    async with scripted(ssh) as told:
        verdict = await told.submitter(greeting=0.5).check(told.server(), sender="a@x.example")
    assert verdict.problem is ConnectionProblem.NOT_SMTP


async def test_a_server_that_refuses_at_the_door_is_quoted() -> None:
    async def script(talk: Conversation) -> None:
        await talk.say("554 5.7.1 Your address is blocked")

    async with scripted(script) as told:
        with pytest.raises(ServerUnusable) as caught:
            async with told.submitter().session(told.server()):
                pass

    assert (caught.value.problem, caught.value.phase) == (ConnectionProblem.SERVER_REFUSED, Phase.CONNECT)
    assert str(caught.value.reply) == "554 5.7.1 Your address is blocked"


async def test_without_starttls_nothing_secret_is_said() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("AUTH PLAIN LOGIN")
        await talk.silence()

    async with scripted(script) as told:
        server = told.server(SmtpSecurity.STARTTLS, username="alice@acme.example")
        verdict = await told.submitter().check(server, sender="a@x.example")

    assert verdict.problem is ConnectionProblem.STARTTLS_MISSING
    assert [line for talk in told.conversations for line in talk.heard] == [b"EHLO api.example\r\n"]


async def test_words_smuggled_in_before_tls_are_not_believed(sandbox: Sandbox) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("STARTTLS")
        await talk.hear("STARTTLS")
        await talk.say("220 Go", "250-evil.example", "250 AUTH PLAIN")
        await talk.silence()

    async with scripted(script) as told:
        server = told.server(SmtpSecurity.STARTTLS, username="alice@acme.example")
        verdict = await told.submitter(greeting=1.0).check(server, sender="a@x.example")

    assert not verdict.ok
    assert not any(line.startswith((b"EHLO", b"AUTH")) for line in told.conversations[0].heard[2:])


async def test_plain_needs_the_operators_word() -> None:
    submitter = SmtpSubmitter(EgressGuard(), local_hostname="api.example", timeouts=TIMEOUTS)

    verdict = await submitter.check(SmtpServer("8.8.8.8", 25, SmtpSecurity.PLAIN, "a", "b"), sender="a@x.example")

    assert verdict.problem is ConnectionProblem.HOST_REFUSED
    assert "choose STARTTLS or IMPLICIT_TLS" in verdict.sentence


@pytest.mark.parametrize("offer", ["AUTH LOGIN", "AUTH PLAIN LOGIN CRAM-MD5", "AUTH CRAM-MD5", "AUTH XOAUTH2 GSSAPI"])
async def test_one_way_of_signing_in_is_tried_and_a_refusal_ends_it(offer: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet(offer)
        line = await talk.hear("AUTH")
        if "PLAIN" not in line:
            await talk.say("334 PDEyMzQ1QHg+")
            await talk.hear("")
        await talk.say("535 5.7.8 No")
        await talk.silence()

    async with scripted(script) as told:
        server = told.server(username="alice")
        verdict = await told.submitter().check(server, sender="a@x.example")

    auth = [line for line in told.conversations[0].heard if line.startswith(b"AUTH")]
    if "XOAUTH2" in offer:
        assert (verdict.problem, auth) == (ConnectionProblem.AUTH_MISSING, [])
    else:
        assert verdict.problem is ConnectionProblem.AUTH_REFUSED
        assert len(auth) == 1


@pytest.mark.parametrize(
    ("name", "said"), [("192.0.2.1", "[192.0.2.1]"), ("::1", "[IPv6:::1]"), ("a.example", "a.example")]
)
async def test_an_address_as_our_own_name_is_said_in_brackets(name: str, said: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.say("220 scripted.example ESMTP")
        assert await talk.hear("EHLO") == f"EHLO {said}"

    async with scripted(script) as told:
        guard = EgressGuard([f"127.0.0.1:{told.port}"])
        await SmtpSubmitter(guard, local_hostname=name, timeouts=TIMEOUTS).check(told.server(), sender="a@x.example")


async def test_a_password_is_not_in_a_servers_representation() -> None:
    assert "secret" not in repr(SmtpServer("h", 1, SmtpSecurity.STARTTLS, "u", "secret"))


async def test_many_mails_go_over_one_connection_and_each_is_received_once(
    sandbox: Sandbox, submitter: SmtpSubmitter, server: SmtpServer
) -> None:
    async with submitter.session(server) as session:
        for number in range(200):
            raw = RAW.replace(b"<m@", f"<m{number}@".encode())
            outcome = await session.submit(return_path="a@acme.example", recipient=f"b{number}@x.example", raw=raw)
            assert isinstance(outcome, Accepted)

    assert sandbox.inbox.counts("disposition", Filter()) == {"ACCEPTED": 200}
    counted = sandbox.inbox.counts("messageId", Filter())
    assert counted == {f"<m{number}@acme.example>": 1 for number in range(200)}


RECEIVERS = {
    "greylist": (Refused, Phase.RCPT, "451 4.7.1"),
    "tempfail": (Refused, Phase.RCPT, "450 4.2.0"),
    "unknown-user": (Refused, Phase.RCPT, "550 5.1.1"),
    "auth-fail": (Refused, Phase.AFTER_DATA, "550 5.7.26"),
    "throttle": (Refused, Phase.AFTER_DATA, "421 4.7.28"),
}


@pytest.mark.parametrize("ending", RECEIVERS)
async def test_the_sandbox_refuses_as_the_recipient_asks(
    ending: str, submitter: SmtpSubmitter, server: SmtpServer
) -> None:
    async with submitter.session(server) as session:
        outcome = await session.submit(return_path="a@acme.example", recipient=f"b+{ending}@x.example", raw=RAW)

    kind, phase, words = RECEIVERS[ending]
    assert isinstance(outcome, kind)
    assert outcome.phase is phase
    assert re.match(words, str(outcome.reply))


async def test_doubt_begins_with_the_final_dot(sandbox: Sandbox, submitter: SmtpSubmitter, server: SmtpServer) -> None:
    async def outcome(user: str, recipient: str = "b@x.example") -> object:
        async with submitter.session(replace(server, username=user)) as session:
            return await session.submit(return_path="a@acme.example", recipient=recipient, raw=RAW)

    assert isinstance(await outcome("a@x.example", "b+drop-after-data@x.example"), InDoubt)
    assert isinstance(await outcome("a+drop-after-dot@x.example"), InDoubt)
    assert isinstance(await outcome("a+drop-before-data@x.example"), NotSubmitted)
    assert isinstance(await outcome("a+drop-before-dot@x.example"), NotSubmitted)
    stalled = await outcome("a+stall@x.example")

    assert isinstance(stalled, NotSubmitted)
    assert stalled.problem is ConnectionProblem.TIMEOUT
    taken = [each.attempt.disposition for each in sandbox.inbox.listed(Filter())[0]]
    assert taken == [Disposition.TAKEN_SILENTLY] * 2 + [Disposition.DROPPED] * 2


@pytest.mark.parametrize("wait", [0.0, 0.1])
async def test_an_opening_that_is_cancelled_leaves_no_connection(wait: float) -> None:
    connected = asyncio.Event()

    async def script(talk: Conversation) -> None:
        connected.set()
        await talk.silence()
        talk.heard.append(b"gone")

    async with scripted(script) as told:
        task = asyncio.create_task(told.submitter(greeting=0.5).check(told.server(), sender="a@x.example"))
        await connected.wait()
        await asyncio.sleep(wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if told.conversations[0].heard:
                break
            await asyncio.sleep(0.01)
        assert told.conversations[0].heard == [b"gone"]
