"""`up` as a person runs it: everything starts, crashes are mended, Ctrl-C ends all of it, and it starts again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis

ROOT = Path(__file__).parents[2]
KEYS = {
    *("graphql", "graphqlWs", "graphqlStream", "readyz", "metrics"),
    *("oltp", "content", "olap", "redis"),
    *("sandbox.smtp", "sandbox.caFile", "demo.email", "demo.password"),
}


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENGUINMAILS_")}
    return inherited | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def command(name: str, data: Path) -> list[str]:
    return [sys.executable, "-m", "app.cli", name, "--data", str(data)]


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


class Running:
    """An `up` in a process of its own, its output in a file."""

    def __init__(self, data: Path, output: Path) -> None:
        self.data = data
        self._output = output
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                command("up", data), stdout=out, stderr=subprocess.STDOUT, env=environment(), cwd=ROOT
            )

    def said(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_to_say(self, words: str) -> None:
        deadline = time.monotonic() + 60
        while words not in self.said():
            assert time.monotonic() < deadline, f"{words!r} was not said, but:\n{self.said()}"
            time.sleep(0.1)

    def endpoints(self) -> dict[str, str]:
        file = self.data / "endpoints.json"
        wait_for(lambda: file.exists() or self.process.poll() is not None, "endpoints.json")
        assert file.exists(), self.said()
        read: dict[str, str] = json.loads(file.read_text())
        return read

    def child(self, word: str) -> psutil.Process:
        """The child whose command line has the word."""
        children = psutil.Process(self.process.pid).children()
        return next(each for each in children if word in each.cmdline())

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="penguinmails-up-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(data: Path) -> Iterator[Callable[[], Running]]:
    started: list[Running] = []

    def begin() -> Running:
        started.append(Running(data, data / f"said-{len(started)}.txt"))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
    wait_for(lambda: not any(str(data) in " ".join(each.cmdline()) for each in living()), "all children ended")


def living() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"]]


def test_up_starts_everything_mends_what_crashes_ends_by_ctrl_c_and_starts_again(
    data: Path, start: Callable[[], Running]
) -> None:
    running = start()
    endpoints = running.endpoints()

    assert set(endpoints) == KEYS
    assert (data / "endpoints.json").stat().st_mode & 0o777 == 0o600
    assert httpx.get(endpoints["readyz"]).status_code == 200
    assert may_call(endpoints["graphql"], origin="http://localhost:5173")
    assert not may_call(endpoints["graphql"], origin="https://evil.example")
    assert Path(endpoints["sandbox.caFile"]).is_file()
    assert endpoints["demo.password"] in running.said()

    second = subprocess.run(
        command("up", data), capture_output=True, text=True, timeout=60, env=environment(), check=False, cwd=ROOT
    )
    assert second.returncode == 1
    assert f"`penguinmails up` is running on {data} already" in second.stderr

    running.child("serve").kill()
    running.wait_to_say("api        | ended with SIGKILL; starting it again in 0.5 s")
    wait_for(lambda: is_ready(endpoints), "the API to be back")

    with redis.Redis.from_url(endpoints["redis"]) as client:
        client.set("kept", "yes")
        client.config_set("appendfsync", "always")
        client.set("kept too", "yes")
    next(each for each in psutil.Process(running.process.pid).children() if "valkey" in each.name()).kill()
    running.wait_to_say("redis      | runs again")
    with redis.Redis.from_url(endpoints["redis"]) as client:
        assert (client.get("kept"), client.get("kept too")) == (b"yes", b"yes")

    assert running.interrupt() == 0, running.said()
    assert not (data / "endpoints.json").exists()
    assert "Traceback" not in running.said()

    again = start()
    assert again.endpoints()["demo.password"] == endpoints["demo.password"]
    assert again.endpoints()["oltp"].rpartition("@")[0] == endpoints["oltp"].rpartition("@")[0]
    doctor = subprocess.run(
        command("doctor", data), capture_output=True, text=True, timeout=60, env=environment(), check=False, cwd=ROOT
    )
    assert doctor.returncode == 0, doctor.stdout
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(60) == 0


def may_call(url: str, *, origin: str) -> bool:
    """Whether a browser would let a page of this origin post JSON with a token."""
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    answer = httpx.options(url, headers=asked)
    return "access-control-allow-origin" in answer.headers


def is_ready(endpoints: dict[str, str]) -> bool:
    try:
        return httpx.get(endpoints["readyz"]).status_code == 200
    except httpx.TransportError:
        return False


def test_ctrl_c_while_it_starts_ends_it_cleanly(data: Path, start: Callable[[], Running]) -> None:
    running = start()
    wait_for(lambda: "up         | migrating" in running.said() or running.process.poll() is not None, "migrating")

    assert running.interrupt() == 0, running.said()
    assert "Traceback" not in running.said()
    assert not (data / "endpoints.json").exists()
