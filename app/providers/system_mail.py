"""The platform's own mail over SYSTEM_SMTP_URL: smtps:// with TLS from the start, smtp:// with STARTTLS."""

import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from app.core.clock import Clock
from app.identity.ports import Mail, SystemMailUnavailable

TIMEOUT_SECONDS = 30.0
_PORTS = {"smtp": 587, "smtps": 465}


class SystemSmtp:
    """Implements app.identity.ports.SystemMail. Operators name the server, so no egress guard stands before it."""

    def __init__(self, url: str | None, *, sender: str, clock: Clock, trust_ca_file: Path | None = None) -> None:
        self._server = None if url is None else _parsed(url)
        self._sender = sender
        self._clock = clock
        self._tls = ssl.create_default_context()
        if trust_ca_file is not None:
            self._tls.load_verify_locations(cafile=trust_ca_file)

    async def send(self, mail: Mail) -> None:
        """Raises SystemMailUnavailable. A password goes over TLS only; without one, TLS is used where it is offered."""
        if self._server is None:
            raise SystemMailUnavailable(
                "PENGUINMAILS_SYSTEM_SMTP_URL is not set, so this mail cannot be sent: set it, such as "
                "smtps://user:password@smtp.example.com:465, then retry the job."
            )
        server = self._server
        has_password = server.username is not None
        try:
            await aiosmtplib.send(
                self._message(mail),
                sender=parseaddr(self._sender)[1],
                recipients=[mail.to],
                hostname=server.hostname,
                port=server.port or _PORTS[server.scheme],
                username=unquote(server.username) if server.username else None,
                password=unquote(server.password) if server.password else None,
                use_tls=server.scheme == "smtps",
                start_tls=False if server.scheme == "smtps" else (True if has_password else None),
                tls_context=self._tls,
                timeout=TIMEOUT_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            where = f"{server.hostname}:{server.port or _PORTS[server.scheme]}"
            raise SystemMailUnavailable(f"The system mail server {where} did not take the mail: {error}") from error

    def _message(self, mail: Mail) -> EmailMessage:
        for value in (mail.to, mail.subject):
            if "=?" in value or not value.isprintable():
                raise ValueError("a header value holds line ends, control characters or an encoded word")
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate(self._clock.now().timestamp(), localtime=False)
        message["Message-ID"] = make_msgid(domain=parseaddr(self._sender)[1].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message.set_content(mail.text, cte="quoted-printable")
        return message


def _parsed(url: str) -> SplitResult:
    server = urlsplit(url)
    if server.scheme not in _PORTS or not server.hostname:
        raise ValueError("PENGUINMAILS_SYSTEM_SMTP_URL must look like smtps://user:password@smtp.example.com:465")
    return server
