"""The platform's own mail over real SMTP: STARTTLS, TLS from the start, a password only over TLS, and clear refusals."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from app.core.clock import Clock
from app.identity.ports import Mail, SystemMailUnavailable
from app.providers.system_mail import SystemSmtp

SENDER = "PenguinMails <no-reply@penguinmails.example>"
MAIL = Mail("zoë@acme.example", "Invitation to Zoë's Bakery", "Hello Zoë,\n\n.\n\nopen https://x.example/#token=pm_x\n")


class Inbox:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.were_secure: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        assert server.transport is not None
        self.were_secure.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 kept"

    def message(self) -> Message:
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, policy=email.policy.default)


class Refusing(Inbox):
    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return "550 5.1.1 nobody here"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(path)
    return context, path


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@asynccontextmanager
async def serving(inbox: Inbox, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """A real SMTP server on a free port, which it gives; `tls` from the start."""

    def protocol() -> SMTP:
        return SMTP(inbox, hostname="mx.example", enable_SMTPUTF8=True, **options)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest_asyncio.fixture
async def plain(inbox: Inbox) -> AsyncIterator[int]:
    async with serving(inbox) as port:
        yield port


@pytest_asyncio.fixture
async def starttls(inbox: Inbox, authority: tuple[ssl.SSLContext, Path]) -> AsyncIterator[int]:
    login: dict[str, Any] = {"authenticator": lambda *_: AuthResult(success=True), "auth_require_tls": True}
    async with serving(inbox, tls_context=authority[0], **login) as port:
        yield port


def smtp(url: str | None, authority: tuple[ssl.SSLContext, Path] | None = None) -> SystemSmtp:
    return SystemSmtp(url, sender=SENDER, clock=Clock(), trust_ca_file=authority[1] if authority else None)


@pytest.mark.parametrize("address", ["zoë@acme.example", "zoe@acme.example"])
async def test_a_mail_arrives_whole(plain: int, inbox: Inbox, address: str) -> None:
    await smtp(f"smtp://127.0.0.1:{plain}").send(replace(MAIL, to=address))

    envelope, message = inbox.envelopes[0], inbox.message()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@penguinmails.example", [address])
    assert message["Subject"] == MAIL.subject
    assert (message["From"], message["Auto-Submitted"]) == (SENDER, "auto-generated")
    assert message["Message-ID"].endswith("@penguinmails.example>")
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n") == MAIL.text


async def test_a_password_goes_over_starttls(
    starttls: int, inbox: Inbox, authority: tuple[ssl.SSLContext, Path]
) -> None:
    await smtp(f"smtp://us%40er:p%3Aw@127.0.0.1:{starttls}", authority).send(MAIL)

    assert inbox.were_secure == [True]


async def test_a_password_is_not_sent_where_there_is_no_tls(plain: int, inbox: Inbox) -> None:
    with pytest.raises(SystemMailUnavailable, match=f"127.0.0.1:{plain} did not take the mail"):
        await smtp(f"smtp://user:secret@127.0.0.1:{plain}").send(MAIL)

    assert inbox.envelopes == []


async def test_an_untrusted_certificate_is_refused(starttls: int, inbox: Inbox) -> None:
    with pytest.raises(SystemMailUnavailable):
        await smtp(f"smtp://127.0.0.1:{starttls}").send(MAIL)

    assert inbox.envelopes == []


async def test_tls_from_the_start(inbox: Inbox, authority: tuple[ssl.SSLContext, Path]) -> None:
    async with serving(inbox, authority[0]) as port:
        await smtp(f"smtps://127.0.0.1:{port}", authority).send(MAIL)

    assert inbox.were_secure == [True]


async def test_a_refusal_is_a_clear_sentence() -> None:
    inbox = Refusing()
    async with serving(inbox) as port:
        with pytest.raises(SystemMailUnavailable, match="nobody here"):
            await smtp(f"smtp://127.0.0.1:{port}").send(MAIL)

    assert inbox.envelopes == []


async def test_without_a_server_it_says_which_setting_is_missing() -> None:
    with pytest.raises(SystemMailUnavailable, match="PENGUINMAILS_SYSTEM_SMTP_URL is not set"):
        await smtp(None).send(MAIL)


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(SystemMailUnavailable, match=r"127\.0\.0\.1:1 did not take"):
        await smtp("smtp://127.0.0.1:1").send(MAIL)


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@y.example", "=?utf-8?q?a=0d=0aBcc:_x?=", "a\x00b"])
async def test_a_header_cannot_be_forged(plain: int, inbox: Inbox, subject: str) -> None:
    with pytest.raises(SystemMailUnavailable):
        await smtp(f"smtp://127.0.0.1:{plain}").send(Mail("ada@acme.example", subject, "x"))

    assert inbox.envelopes == []


@pytest.mark.parametrize("url", ["http://127.0.0.1", "smtp://", "127.0.0.1:25"])
def test_a_wrong_url_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        smtp(url)
