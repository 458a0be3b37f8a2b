"""One child process: started in its own session, ended when its parent dies, stopped by a signal and then by force."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from app.embedded.accounts import Account

PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
LIBC: Final = ctypes.CDLL(None, use_errno=True)
LARGEST_LOG_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a child.

    `death_signal` is what the kernel sends it when the thread that started it is gone (Linux; elsewhere nothing does)."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path = Path("/")
    death_signal: signal.Signals = signal.SIGTERM
    account: Account | None = None


def start_process(launch: Launch, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts the child with stdout and stderr in `output`. Call it from a thread that lives as long as the child should."""
    account = launch.account
    return subprocess.Popen(
        list(launch.command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(launch.environment),
        cwd=launch.folder,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=_die_with(os.getpid(), launch.death_signal),  # noqa: PLW1509  one system call, resolved before the fork
    )


def _die_with(parent: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    """The kernel forgets the death signal at a change of user, so it is set in the child, after that change."""
    if sys.platform != "linux":
        return None

    def set_death_signal() -> None:
        if LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal)) != 0:
            os._exit(126)
        if os.getppid() != parent:  # the parent died between fork and here
            os._exit(125)

    return set_death_signal


def stop_process(process: subprocess.Popen[bytes], how: signal.Signals, *, grace_seconds: float) -> int:
    """Sends `how`, waits, and kills the child and its session when the grace has passed. Returns the exit code."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            kill_session(process)
    return process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the child and to every process it started in its session."""
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.wait()


def describe_exit(code: int) -> str:
    """`exit code 3`, or `SIGKILL` for -9."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def command_line_of(pid: int) -> str | None:
    """The command line of a living process, or None when there is no such process (a zombie has none either)."""
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return raw.replace(b"\0", b" ").decode(errors="replace").strip() or None
    done = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    return done.stdout.strip() or None


def end_orphan(pid: int, how: signal.Signals, *, words: Sequence[str], grace_seconds: float) -> bool:
    """Ends a server that outlived a killed parent. Only a process whose command line holds all `words` is touched.

    Returns True when there was one."""
    command = command_line_of(pid)
    if command is None or not all(word in command for word in words):
        return False
    os.kill(pid, how)
    deadline = time.monotonic() + grace_seconds
    while command_line_of(pid) == command:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(0.05)
    return True


def open_log(file: Path) -> IO[bytes]:
    """Opens a server's log for appending, mode 0600; one that has grown past 10 MB is kept once as `.1`."""
    if file.exists() and file.stat().st_size > LARGEST_LOG_BYTES:
        file.replace(file.with_name(file.name + ".1"))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def last_lines(file: Path, *, lines: int = 8) -> str:
    """The end of a log, for an error message."""
    try:
        return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
