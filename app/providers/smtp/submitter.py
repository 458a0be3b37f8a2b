"""Opens a mailbox's own SMTP server: checked address, verified TLS, sign-in; and says in words what is wrong."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from app.outreach.ports import ConnectionProblem, ConnectionVerdict, ServerUnusable, SmtpSecurity, SmtpServer
from app.outreach.rules.smtp_replies import Phase, SmtpReply
from app.providers.egress import Address, EgressGuard, EgressRefused, HostNotFound
from app.providers.smtp.exchange import ConnectionEnded, take_over
from app.providers.smtp.session import SmtpSession, SmtpTimeouts

_SIGN_IN = ("plain", "login", "cram-md5")


class SmtpSubmitter:
    """Implements app.outreach.ports.MailSubmitter, on aiosmtplib for everything before the first mail."""

    def __init__(
        self,
        guard: EgressGuard,
        *,
        local_hostname: str,
        trust_ca_file: Path | None = None,
        timeouts: SmtpTimeouts | None = None,
    ) -> None:
        """`local_hostname` is what EHLO says. `trust_ca_file` (PEM) is trusted beside the system's authorities.

        Raises OSError or ssl.SSLError when that file cannot be read.
        """
        self._guard = guard
        self._local_hostname = _address_literal(local_hostname)
        self._timeouts = timeouts or SmtpTimeouts()
        self._tls = ssl.create_default_context()
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if trust_ca_file is not None:
            self._tls.load_verify_locations(cafile=trust_ca_file)

    @contextlib.asynccontextmanager
    async def session(self, server: SmtpServer) -> AsyncIterator[SmtpSession]:
        session = await self._open(server)
        try:
            yield session
        finally:
            await session.quit()

    async def check(self, server: SmtpServer, *, sender: str) -> ConnectionVerdict:
        try:
            async with self.session(server) as session:
                reply = await session.sender_reply(sender)
        except ServerUnusable as unusable:
            return ConnectionVerdict(unusable.problem, unusable.reason, unusable.reply)
        except TimeoutError:
            reason = f"{server.host} took the sign-in, but did not answer to the sender in time."
            return ConnectionVerdict(ConnectionProblem.TIMEOUT, reason)
        except ConnectionEnded as ended:
            reason = f"{server.host} took the sign-in, but at the sender {ended}."
            return ConnectionVerdict(ConnectionProblem.LOST, reason)
        if reply.code // 100 != 2:
            sentence = f"{server.host} does not let {server.username or 'us'} send as {sender}: {reply}."
            return ConnectionVerdict(ConnectionProblem.SENDER_REFUSED, sentence, reply)
        return ConnectionVerdict(None, f"{server.host} takes mail from {sender}.", reply)

    async def _open(self, server: SmtpServer) -> SmtpSession:
        if server.security is SmtpSecurity.PLAIN and not self._guard_allows(server):
            raise ServerUnusable(
                ConnectionProblem.HOST_REFUSED,
                f"{server.host}:{server.port} must be used with TLS: choose STARTTLS or IMPLICIT_TLS.",
                phase=Phase.CONNECT,
            )
        connection = await self._connect(server)
        client = SMTP(
            hostname=server.host.strip("[]"),
            sock=connection,
            local_hostname=self._local_hostname,
            use_tls=server.security is SmtpSecurity.IMPLICIT_TLS,
            start_tls=False,
            tls_context=self._tls,
            timeout=self._timeouts.greeting,
        )
        opening = _Opening(server, client)
        try:
            await opening.run()
            _check_not_cancelled()
            exchange = take_over(client.transport)
        except BaseException as error:
            client.close()
            reason = opening.unusable(error)
            if reason is None:
                raise
            raise reason from error
        return SmtpSession(exchange, extensions=frozenset(client.esmtp_extensions), timeouts=self._timeouts)

    def _guard_allows(self, server: SmtpServer) -> bool:
        try:
            return self._guard.allows(server.host, server.port)
        except EgressRefused:
            return False

    async def _connect(self, server: SmtpServer) -> socket.socket:
        """A socket to the first address that answers. Raises ServerUnusable."""
        place = f"{server.host}:{server.port}"
        try:
            addresses = await self._guard.addresses(server.host, server.port)
        except EgressRefused as error:
            raise ServerUnusable(ConnectionProblem.HOST_REFUSED, str(error), phase=Phase.CONNECT) from error
        except HostNotFound as error:
            raise ServerUnusable(ConnectionProblem.DNS, str(error), phase=Phase.CONNECT) from error
        problem, reason = ConnectionProblem.UNREACHABLE, f"{place} cannot be reached."
        for address in addresses:
            try:
                return await _socket_to(address, server.port, seconds=self._timeouts.connect)
            except TimeoutError:
                problem = ConnectionProblem.TIMEOUT
                reason = f"{place} did not answer within {self._timeouts.connect:g} s: check the port and the firewall."
            except OSError as error:
                problem = ConnectionProblem.UNREACHABLE
                reason = f"{place} cannot be reached ({error.strerror or error}): check the port and the firewall."
        raise ServerUnusable(problem, reason, phase=Phase.CONNECT)


def _address_literal(hostname: str) -> str:
    """What EHLO takes: a name, or an address in brackets (RFC 5321, section 4.1.3)."""
    try:
        address = ipaddress.ip_address(hostname)
    except ValueError:
        return hostname
    return f"[{hostname}]" if address.version == 4 else f"[IPv6:{hostname}]"


async def _socket_to(address: Address, port: int, *, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    connection.setblocking(False)
    # A mail's end goes out in a packet of its own, which must not wait for the receiver's delayed acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


def _check_not_cancelled() -> None:
    """Before Python 3.12, asyncio.wait_for, which aiosmtplib uses, can lose a cancellation (gh-86296)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Opening:
    """The steps from an open socket to a signed-in connection, and what a failure of each means."""

    def __init__(self, server: SmtpServer, client: SMTP) -> None:
        self._server = server
        self._client = client
        self._phase = Phase.CONNECT
        self._place = f"{server.host}:{server.port}"

    async def run(self) -> None:
        """Raises what aiosmtplib and ssl raise, and ServerUnusable."""
        if self._server.security is SmtpSecurity.IMPLICIT_TLS:
            self._phase = Phase.TLS
        await self._client.connect()
        self._phase = Phase.CONNECT
        await self._client.ehlo()
        if self._server.security is SmtpSecurity.STARTTLS:
            self._phase = Phase.TLS
            if not self._client.supports_extension("starttls"):
                raise self._problem(
                    ConnectionProblem.STARTTLS_MISSING,
                    f"{self._place} does not offer STARTTLS, and mail is never sent in the open: use another port.",
                )
            await self._client.starttls()
            await self._client.ehlo()
        if self._server.username:
            self._phase = Phase.AUTH
            await self._sign_in()

    async def _sign_in(self) -> None:
        """One method, one try: servers delay and count failures, so the next method is not tried after a refusal."""
        method = next((each for each in _SIGN_IN if each in self._client.server_auth_methods), None)
        name, password = self._server.username, self._server.password
        if method is None:
            raise self._problem(
                ConnectionProblem.AUTH_MISSING,
                f"{self._place} offers no way to sign in with a password (PLAIN, LOGIN or CRAM-MD5).",
            )
        if method == "plain":
            await self._client.auth_plain(name, password)
        elif method == "login":
            await self._client.auth_login(name, password)
        else:
            await self._client.auth_crammd5(name, password)

    def unusable(self, error: BaseException) -> ServerUnusable | None:
        """The failure in words; None for what is no failure of the connection, such as a cancellation."""
        _check_not_cancelled()
        if isinstance(error, ServerUnusable):
            return error
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                reason = f"The certificate of {self._place} cannot be trusted: {cause.verify_message.rstrip('.')}."
                return self._problem(ConnectionProblem.CERTIFICATE, reason)
            if isinstance(cause, ssl.SSLError):
                return self._problem(ConnectionProblem.TLS, self._tls_reason(cause))
        if isinstance(error, SMTPResponseException):
            return self._answered(error)
        if isinstance(error, SMTPTimeoutError | TimeoutError):
            hint = self._hint()
            return self._problem(ConnectionProblem.TIMEOUT, f"{self._place} stopped answering ({self._phase}){hint}.")
        if isinstance(error, SMTPServerDisconnected | SMTPException | ConnectionError | ConnectionEnded | OSError):
            reason = f"{self._place} closed the connection ({self._phase}){self._hint()}."
            return self._problem(ConnectionProblem.LOST, reason)
        return None

    def _answered(self, error: SMTPResponseException) -> ServerUnusable:
        reply = SmtpReply(error.code, error.message)
        if error.code < 0:
            return self._problem(ConnectionProblem.NOT_SMTP, f"What answers at {self._place} does not speak SMTP.")
        if isinstance(error, SMTPAuthenticationError):
            reason = f"{self._place} refuses the user name or the password: {reply}."
            return self._problem(ConnectionProblem.AUTH_REFUSED, reason, reply=reply)
        return self._problem(ConnectionProblem.SERVER_REFUSED, f"{self._place} refuses us: {reply}.", reply=reply)

    def _tls_reason(self, error: ssl.SSLError) -> str:
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
            return f"{self._place} does not start with TLS: choose STARTTLS."
        if error.reason in ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW"):
            words = "it offers no TLS 1.2 or newer. Have the server updated, or use another."
            return f"The TLS of {self._place} is too old: {words}"
        return f"{self._place} and we cannot agree on TLS: {error.reason or error}."

    def _hint(self) -> str:
        """A port that speaks TLS from the first byte waits for it, or hangs up, where we wait for a greeting."""
        if self._phase is Phase.CONNECT and self._server.security is not SmtpSecurity.IMPLICIT_TLS:
            return ": if this port starts with TLS, as 465 does, choose IMPLICIT_TLS"
        return ""

    def _problem(self, problem: ConnectionProblem, reason: str, *, reply: SmtpReply | None = None) -> ServerUnusable:
        return ServerUnusable(problem, reason, phase=self._phase, reply=reply)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
