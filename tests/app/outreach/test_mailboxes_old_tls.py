"""A mailbox's server that stopped at TLS 1.1: refused, with a verdict that says that its TLS is too old."""

import asyncio
import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.outreach.mailboxes import connect_mailbox, mailbox_by_id, test_mailbox
from app.outreach.ports import ConnectionProblem, MailSubmitter, SmtpSecurity
from app.providers.egress import EgressGuard
from app.providers.smtp.submitter import SmtpSubmitter
from app.sandbox.certificates import certificates
from tests.app.outreach.sending_stage import QUICK, SendingStage

OLD = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")


def limited(context: ssl.SSLContext) -> ssl.SSLContext:
    """To TLS 1.0 and 1.1, whose signatures OpenSSL 3 allows at level 0 only."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@contextmanager
def old_server(folder: Path, security: SmtpSecurity) -> Iterator[int]:
    """Its port. On threads, since asyncio closes a failed handshake without the alert that servers send."""
    tls = limited(certificates(folder / "old").right)

    class Dialogue(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            plain: socket.socket = self.request
            plain.settimeout(5)
            with contextlib.suppress(OSError):  # the client does not agree, as it should
                if security is SmtpSecurity.STARTTLS:
                    for line in (b"220 old.example ESMTP", b"250-old.example\r\n250 STARTTLS", b"220 Go"):
                        plain.sendall(line + b"\r\n")
                        if line != b"220 Go":
                            plain.recv(1000)
                with tls.wrap_socket(plain, server_side=True) as secured:
                    secured.sendall(b"220 old.example ESMTP\r\n")
                    secured.recv(1000)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dialogue) as server:
        running = threading.Thread(target=server.serve_forever, args=(0.02,))
        running.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            running.join()


def reaching(sending: SendingStage, port: int) -> None:
    """The stage may connect to that port too, and trusts its certificate."""
    own = sending.owner.resources
    allow = (*own.settings.egress_allow, f"127.0.0.1:{port}")
    submitter = SmtpSubmitter(EgressGuard(allow), local_hostname="sender.example", timeouts=QUICK)
    settings = own.settings.model_copy(update={"egress_allow": allow})
    changed = replace(own, settings=settings, ports={**own.ports, MailSubmitter: submitter})
    sending.stage = replace(sending.stage, owner=replace(sending.owner, resources=changed))


@OLD
async def test_the_old_server_does_speak_tls_1_1(tmp_path: Path) -> None:
    client = limited(ssl.create_default_context(cafile=certificates(tmp_path / "old").ca_file))
    with old_server(tmp_path, SmtpSecurity.IMPLICIT_TLS) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)

        assert writer.get_extra_info("ssl_object").version() == "TLSv1.1"
        assert await reader.readline() == b"220 old.example ESMTP\r\n"
        writer.close()


@OLD
@pytest.mark.parametrize("security", [SmtpSecurity.IMPLICIT_TLS, SmtpSecurity.STARTTLS])
async def test_connect_and_test_say_that_the_servers_tls_is_too_old(
    sending: SendingStage, tmp_path: Path, security: SmtpSecurity
) -> None:
    with old_server(tmp_path, security) as port:
        reaching(sending, port)
        settings = sending.settings("alice@acme.example", port=port, security=security)
        mailbox = await connect_mailbox(sending.owner, sending.stage.workspace_id, settings)
        await sending.work()
        connected = await mailbox_by_id(sending.owner, mailbox.id)
        sending.clock.move(60)
        await test_mailbox(sending.owner, mailbox.id)
        await sending.work()
        tested = await mailbox_by_id(sending.owner, mailbox.id)

    for each in (connected, tested):
        assert (each.state, each.verdict_problem) == ("failed", ConnectionProblem.TLS)
        assert each.verdict_sentence == (
            f"The TLS of 127.0.0.1:{port} is too old: it offers no TLS 1.2 or newer. Have the server updated, or use another."
        )
    assert connected.verdict_at is not None
    assert tested.verdict_at == sending.clock.now() != connected.verdict_at
