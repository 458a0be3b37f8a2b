"""The embedded Redis with real processes: what survives kill -9, and who may speak to it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from app.embedded.errors import DataFolderInUse, EmbeddedError
from app.embedded.ports import free_port
from app.embedded.redis import EmbeddedRedis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    made = EmbeddedRedis(tmp_path, free_port())
    made.start()
    yield made
    made.stop()


def client(server: EmbeddedRedis) -> "redis.Redis":
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_never_evicts_and_wants_its_password_which_no_process_list_shows(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    with client(server) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert connection.config_get("bind") == {"bind": "127.0.0.1"}
        password = connection.config_get("requirepass")["requirepass"]
    with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()

    assert len(password) >= 24
    assert password not in " ".join(psutil.Process(server.pid).cmdline())
    assert (tmp_path / "redis.password").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "redis" / "redis.conf").stat().st_mode & 0o777 == 0o600


def test_kill_9_loses_nothing_that_was_written_out_and_the_port_and_password_stay(server: EmbeddedRedis) -> None:
    url = server.url
    with client(server) as connection:
        connection.config_set("appendfsync", "always")
        connection.rpush("queue", *range(1000))

    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert server.poll() == -signal.SIGKILL
    server.stop()
    server.start()

    assert server.url == url
    with client(server) as connection:
        assert connection.llen("queue") == 1000


def test_a_second_start_on_the_same_folder_says_that_one_is_running(server: EmbeddedRedis, tmp_path: Path) -> None:
    with pytest.raises(DataFolderInUse, match="is running already"):
        EmbeddedRedis(tmp_path).start()
    with client(server) as connection:
        assert connection.ping()


def test_a_taken_port_that_was_asked_for_is_refused(server: EmbeddedRedis, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=f"Port {server.port} on 127.0.0.1 is taken"):
        EmbeddedRedis(tmp_path / "other", server.port).start()


def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(server: EmbeddedRedis, tmp_path: Path) -> None:
    server.stop()
    (base,) = (tmp_path / "redis" / "appendonlydir").glob("*.manifest")
    base.write_text("not a manifest\n")

    with pytest.raises(EmbeddedError, match="manifest"):
        server.start()


def test_a_server_that_outlived_its_starter_is_ended_before_the_folder_is_used_again(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    old = psutil.Process(server.pid)
    server._lock.release()  # as the kernel does when the starter is killed

    again = EmbeddedRedis(tmp_path)
    again.start()

    try:
        assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE
        assert again.pid != old.pid
    finally:
        again.stop()
