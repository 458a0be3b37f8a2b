"""A deployment to measure: durable servers, databases of its own, and the product's own processes beside them."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import SecretStr

from app.core.resources import Resources
from app.embedded.ports import free_port
from app.wiring import build_resources, opened
from tests.conftest import make_settings
from tests.servers import ServersOfRun, TestServers, make_databases

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 15.0
PLENTY = 1_000_000_000


@dataclass(frozen=True)
class Running:
    """One of our processes. Its CPU is what we measure: the machine is shared, wall time is not ours alone."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time, of the process itself."""
        used = psutil.Process(self.popen.pid).cpu_times()
        return float(used.user + used.system)

    def check(self) -> None:
        """Raises RuntimeError, with its last words, when it has ended."""
        if self.popen.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}.\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of what it printed."""
        return f"{self.name} said:\n{self.log.read_text(errors='replace')[-2000:]}"


class Deployment:
    """Settings for processes as environment variables, and the same as an object for this process."""

    def __init__(self, servers: TestServers, databases: dict[str, str], folder: Path) -> None:
        self.servers = servers
        self.databases = databases
        self.folder = folder
        self.api_port = free_port()
        self.settings = make_settings(
            servers,
            databases,
            redis_database=0,
            jobs_redis_url=servers.redis_database(1),
            port=self.api_port,
            public_url=f"http://127.0.0.1:{self.api_port}",
            graphql_points_per_second=PLENTY,
            graphql_bucket_points=PLENTY,
            log_level="warning",
        )

    def opened(self) -> AbstractAsyncContextManager[Resources]:
        """Pools of this process to the deployment's databases. One deployment at a time: the tiers' engines are one each."""
        return opened(build_resources(self.settings), system=True)

    async def beside(self, name: str) -> "Deployment":
        """Another deployment on the same servers, with fresh databases."""
        return Deployment(self.servers, await make_databases(self.servers, name), self.folder)

    def environment(self, **changed: str) -> dict[str, str]:
        """Of one of our processes; `changed` names settings in lower case."""
        named = {name: _text(value) for name, value in self.settings if value not in (None, ())}
        return os.environ | {f"PENGUINMAILS_{name.upper()}": value for name, value in (named | changed).items()}

    def command(self, name: str, *words: str, **changed: str) -> AbstractContextManager[Running]:
        """One of the product's own commands, such as `serve`, with changed settings."""
        return self.process(name, "-m", "app.cli", name, *words, environment=self.environment(**changed))

    @contextmanager
    def process(self, name: str, *command: str, environment: Mapping[str, str]) -> Iterator[Running]:
        """Runs `python *command` while the block runs."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield Running(name, popen, log)
        finally:
            stop(popen)


def stop(popen: "subprocess.Popen[bytes]") -> None:
    """Asks it to end, and makes it."""
    if popen.poll() is None:
        popen.send_signal(signal.SIGTERM)
        try:
            popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


@contextmanager
def deployment() -> Iterator[Deployment]:
    """Starts PostgreSQL and Redis as `up` does (durable), and migrates. The databases are gone afterwards."""
    servers = ServersOfRun(fast=False)
    with tempfile.TemporaryDirectory(prefix="penguinmails-bench-") as folder:
        servers.start()
        try:
            found = TestServers.from_environment()
            databases = asyncio.run(make_databases(found, "bench"))
            yield Deployment(found, databases, Path(folder))
        finally:
            servers.stop()
