"""The sandbox as one process: SMTP that receives, and HTTP that shows what it got, all on loopback."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import uvicorn
import uvloop

from app.core.clock import Clock
from app.sandbox.certificates import certificates
from app.sandbox.http_api import http_api
from app.sandbox.inbox import Inbox
from app.sandbox.smtp_server import SmtpPorts

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    """Where to listen; 0 takes a free port.

    smtp: STARTTLS. smtps: TLS from the first byte. wrong_certificate: like smtps, with a certificate for another host.
    """

    smtp: int = 0
    smtps: int = 0
    wrong_certificate: int = 0
    http: int = 0


class Sandbox:
    """Starts and stops inside a running loop: `async with Sandbox(folder) as sandbox`."""

    def __init__(self, data: Path, *, ports: SandboxPorts | None = None, clock: Clock | None = None) -> None:
        """`data` is the sandbox's own folder: certificates and received mail are kept in it."""
        self._data = data
        self._wanted = ports or SandboxPorts()
        self._clock = clock or Clock()
        self._stack = contextlib.AsyncExitStack()
        self.ports = SandboxPorts()
        self.ca_file = data / "certificates" / "ca.pem"
        self.inbox: Inbox

    async def __aenter__(self) -> "Sandbox":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens on every port. Raises OSError when one is taken or the folder cannot be written."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Closes the ports and their connections; what was received is in the folder."""
        await self._stack.aclose()

    async def _start(self) -> None:
        made = certificates(self._data / "certificates")
        self.inbox = Inbox(self._data / "received.jsonl")
        self._stack.callback(self.inbox.close)
        smtp = SmtpPorts(self.inbox, self._clock, host=HOST)
        self._stack.push_async_callback(smtp.close)
        wanted = self._wanted
        self.ports = SandboxPorts(
            smtp=await smtp.listen(wanted.smtp, implicit=None, starttls=made.right),
            smtps=await smtp.listen(wanted.smtps, implicit=made.right, starttls=None),
            wrong_certificate=await smtp.listen(wanted.wrong_certificate, implicit=made.wrong, starttls=None),
            http=await self._serve_http(wanted.http),
        )

    async def _serve_http(self, port: int) -> int:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._stack.callback(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        config = uvicorn.Config(
            http_api(self.inbox), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = _QuietServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))

        async def stop() -> None:
            server.should_exit = True
            await serving

        self._stack.push_async_callback(stop)
        number: int = listener.getsockname()[1]
        return number


class _QuietServer(uvicorn.Server):
    """Leaves the signals to the process that runs the sandbox."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run_sandbox(
    data: Path,
    *,
    smtp_port: int,
    smtps_port: int,
    http_port: int,
    wrong_certificate_port: int = 0,
    clock: Clock | None = None,
) -> None:
    """Runs until SIGTERM or SIGINT, then closes cleanly. Raises OSError when a port is taken."""
    ports = SandboxPorts(smtp=smtp_port, smtps=smtps_port, wrong_certificate=wrong_certificate_port, http=http_port)
    uvloop.run(_run(Sandbox(data, ports=ports, clock=clock)))


async def _run(sandbox: Sandbox) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with sandbox:
        await stopped.wait()
