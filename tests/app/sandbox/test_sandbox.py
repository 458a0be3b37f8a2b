"""The sandbox as a whole: its HTTP, its certificates, its process."""

import asyncio
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.ids import new_id
from app.outreach.rules.message_identity import message_id_for
from app.sandbox.behaviours import Mailbox, Receiver, mailbox_of, receiver_of
from app.sandbox.certificates import certificates
from app.sandbox.main import Sandbox, SandboxPorts


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as started:
        yield started


def send(port: int, ca_file: Path, message_id: str, recipient: str = "bob@lead.example") -> None:
    """With the standard library's client, which knows nothing of ours."""
    message = EmailMessage()
    message["Message-ID"] = message_id
    message["Subject"] = "Hello"
    message.set_content("Hello\n.\nBob\n")
    with smtplib.SMTP("localhost", port, timeout=5) as client:
        client.starttls(context=ssl.create_default_context(cafile=ca_file))
        client.login("alice@acme.example", "secret")
        client.send_message(message, "alice@acme.example", [recipient])


async def test_a_mail_sent_with_another_client_is_shown_over_http(sandbox: Sandbox) -> None:
    tenant_id = new_id()
    message_id = message_id_for(tenant_id=tenant_id, message_id=new_id(), domain="acme.example")
    await asyncio.to_thread(send, sandbox.ports.smtp, sandbox.ca_file, message_id)
    await asyncio.to_thread(send, sandbox.ports.smtp, sandbox.ca_file, "<other@acme.example>")

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sandbox.ports.http}") as http:

        async def get(path: str, **query: object) -> Any:
            return (await http.get(path, params={name: str(value) for name, value in query.items()})).json()

        assert await get("/livez") == {"status": "ok", "attempts": 2}
        listed = await get("/messages", tenant=tenant_id)
        [shown] = listed["messages"]
        assert listed["hasMore"] is False
        assert (shown["position"], shown["messageId"], shown["tenantId"]) == (1, message_id, str(tenant_id))
        assert (shown["recipients"], shown["disposition"]) == (["bob@lead.example"], "ACCEPTED")
        assert await get("/messages/1") == shown
        assert (await get("/messages", first=1))["hasMore"] is True
        assert [each["position"] for each in (await get("/messages", after=1))["messages"]] == [2]
        assert await get("/counts", by="sender") == {"alice@acme.example": 2}
        raw = await http.get("/messages/1/raw")
        assert raw.headers["content-type"] == "message/rfc822"
        assert raw.content.endswith(b"\r\n\r\nHello\r\n.\r\nBob\r\n")


async def test_http_says_what_is_wrong_with_a_request(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sandbox.ports.http}") as http:
        for path, status in [
            ("/messages?first=1001", 400),
            ("/messages?first=x", 400),
            ("/messages?after=-1", 400),
            ("/messages?recipients=x", 400),
            ("/counts?by=subject", 400),
            ("/messages/1", 404),
            ("/messages/1/raw", 404),
            ("/nowhere", 404),
        ]:
            assert (await http.get(path)).status_code == status, path
        assert (await http.get("/livez", headers={"Host": "evil.example"})).status_code == 400


def test_endings_choose_behaviours_and_nothing_else_does() -> None:
    assert [receiver_of(f"a+{each}@x.example") for each in Receiver] == list(Receiver)
    assert receiver_of("A+x+Greylist@x.example") is Receiver.GREYLIST
    assert receiver_of("greylist@x.example") is Receiver.ACCEPT
    assert receiver_of("a+greylist+b@x.example") is Receiver.ACCEPT
    assert receiver_of("a@x+greylist.example") is Receiver.ACCEPT
    assert [mailbox_of(f"a+{each}@x.example") for each in Mailbox] == list(Mailbox)
    assert mailbox_of("a+stall") is Mailbox.STALL
    assert mailbox_of("stall@x.example") is Mailbox.NORMAL


def test_certificates_are_kept_and_renewed_before_their_end(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    now = datetime.now(UTC)
    certificates(folder, now=now)
    files = sorted(folder.iterdir())
    before = {file.name: file.read_bytes() for file in files}

    certificates(folder, now=now + timedelta(days=300))
    assert {file.name: file.read_bytes() for file in files} == before

    certificates(folder, now=now + timedelta(days=380))
    changed = {file.name for file in files if file.read_bytes() != before[file.name]}
    assert changed == {"server.pem", "wrong-server.pem"}
    certificates(folder, now=now + timedelta(days=365 * 10))
    assert (folder / "ca.pem").read_bytes() != before["ca.pem"]
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in files} == {
        "ca-key.pem": "0o600",
        "ca.pem": "0o644",
        "server.pem": "0o600",
        "wrong-server.pem": "0o600",
    }


async def test_a_port_that_is_taken_stops_the_start_and_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = SandboxPorts(http=taken.getsockname()[1])

        with pytest.raises(OSError, match="in use"):
            await Sandbox(tmp_path, ports=ports).start()

    async with Sandbox(tmp_path) as sandbox:
        assert sandbox.ports.http


def test_the_process_serves_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with socket.socket() as first, socket.socket() as second, socket.socket() as third:
        for each in (first, second, third):
            each.bind(("127.0.0.1", 0))
        smtp, smtps, http = (each.getsockname()[1] for each in (first, second, third))
    code = (
        "from pathlib import Path; from app.sandbox.main import run_sandbox; "
        f"run_sandbox(Path({str(tmp_path)!r}), smtp_port={smtp}, smtps_port={smtps}, http_port={http})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3], env=dict(os.environ))
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{http}/livez")
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        send(smtp, tmp_path / "certificates" / "ca.pem", "<m1@acme.example>")

        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "received.jsonl").read_text().count("<m1@acme.example>") == 1
