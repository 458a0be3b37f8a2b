"""A whole `penguinmails up` for a journey: the command itself, in a folder of its own, on free ports."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.embedded.ports import free_port
from tests.servers import VARIABLE

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class RunningUp:
    """What a client of it needs. `sandbox_http` shows what the sandbox received."""

    data: Path
    endpoints: dict[str, str]
    sandbox_http: str

    def command(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs `penguinmails WORDS --data ...` beside it."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words, f"--data={self.data}"],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def received(self, **filters: str) -> list[dict[str, Any]]:
        """Every attempt that the sandbox saw, oldest first."""
        found: list[dict[str, Any]] = []
        after = 0
        with httpx.Client(trust_env=False) as client:
            while True:
                page = client.get(
                    f"{self.sandbox_http}/messages", params={"after": after, "first": 1000, **filters}
                ).json()
                found += page["messages"]
                if not page["hasMore"]:
                    return found
                after = found[-1]["position"]

    def source(self, position: int) -> bytes:
        """The bytes of one mail, as they came over the wire."""
        return httpx.get(f"{self.sandbox_http}/messages/{position}/raw", trust_env=False).raise_for_status().content


def clean_environment() -> dict[str, str]:
    """Without what the test run itself has set, so that `up` starts its own servers."""
    ours = ("PENGUINMAILS_", VARIABLE)
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"COLUMNS": "200"}


@contextmanager
def running_up(data: Path) -> Iterator[RunningUp]:
    """Starts `penguinmails up` and stops it as Ctrl-C does. Raises RuntimeError, with its output, when it does not come up."""
    for part in ("sandbox-smtp", "sandbox-smtps", "sandbox-http"):
        data.mkdir(parents=True, exist_ok=True)
        (data / f"{part}.port").write_text(str(free_port()), encoding="utf-8")
    log = data.parent / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up", f"--data={data}", f"--port={free_port()}"],
            cwd=ROOT,
            env=clean_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(data / "endpoints.json", process, log)
        environment = json.loads((data / "environment.json").read_text(encoding="utf-8"))
        endpoints = json.loads((data / "endpoints.json").read_text(encoding="utf-8"))
        yield RunningUp(data, endpoints, environment["PENGUINMAILS_SANDBOX_HTTP_URL"])
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait(file: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while not file.exists():
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"`penguinmails up` did not come up:\n{log.read_text(errors='replace')[-5000:]}")
        time.sleep(0.1)
