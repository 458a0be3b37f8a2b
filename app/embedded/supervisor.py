"""Runs named members together: starts them in order, starts a crashed one again after a growing pause and says so,
and stops all in reverse order. One thread decides everything; one more per child only copies its output."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Final, Protocol

from app.embedded.errors import EmbeddedError
from app.embedded.processes import Launch, describe_exit, kill_session, start_process

Say = Callable[[str, str], None]  # (name of the member, one line without its end)
LOOK_SECONDS: Final = 0.1
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Member(Protocol):
    """What can be supervised: an embedded server or a child process."""

    @property
    def name(self) -> str: ...

    def start(self) -> None:
        """Raises EmbeddedError when it cannot be started."""

    def poll(self) -> int | None:
        """The exit code once it has ended, None while it runs."""

    def stop(self) -> None:
        """Ends it and lets go of what it holds; does nothing when it has ended."""


class Child:
    """A child process as a member. Each line of its output is said with its name.

    It is stopped by SIGTERM, and by SIGKILL (with what it started) when `grace_seconds` have passed or `hurry` is set."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        say: Say,
        hurry: threading.Event,
        grace_seconds: float = 15.0,
    ) -> None:
        self.name = name
        variables = dict(environment) | {"PYTHONUNBUFFERED": "1"}
        self._launch = Launch(command=command, environment=variables, folder=Path.cwd())
        self._say = say
        self._hurry = hurry
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._copier: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Raises EmbeddedError when the program cannot be started at all."""
        try:
            self._process = start_process(self._launch, subprocess.PIPE)
        except OSError as error:
            raise EmbeddedError(f"cannot start {self._launch.command[0]}: {error}") from error
        assert self._process.stdout is not None
        self._copier = threading.Thread(target=self._copy, args=(self._process.stdout,), daemon=True)
        self._copier.start()

    def poll(self) -> int | None:
        return self._process.poll() if self._process is not None else 0

    def stop(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            self._wait(process)
        if self._copier is not None:
            self._copier.join(2)  # a grandchild may hold the pipe open; its lines are of no interest any more
        self._process = None

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._grace_seconds
        while process.poll() is None:
            if self._hurry.is_set() or time.monotonic() > deadline:
                self._say(self.name, "did not end in time and is killed")
                kill_session(process)
                process.wait()
                return
            time.sleep(0.02)

    def _copy(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._say(self.name, line.decode(errors="replace").rstrip())


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """Pauses before a crashed member starts again: `first`, doubling, at most `most`; a life of `quiet` seconds forgets."""

    first: float = 0.5
    most: float = 30.0
    quiet: float = 60.0

    def pause(self, crashes: int) -> float:
        """Seconds to wait after the n-th crash in a row (n from 1)."""
        return min(self.most, self.first * 2.0 ** min(crashes - 1, 32))


@dataclass(slots=True)
class _State:
    member: Member
    started_at: float = 0.0
    crashes: int = 0
    due_at: float | None = None  # when it starts again; None while it runs


@dataclass
class Supervisor:
    """`run()` until `request_stop()`; `stop()` in any case. Use it in the main thread: children live as long as that does."""

    say: Say
    back_off: BackOff = field(default_factory=BackOff)
    hurry: threading.Event = field(default_factory=threading.Event)
    _states: list[_State] = field(default_factory=list)
    _stop_asked: threading.Event = field(default_factory=threading.Event)

    def start(self, member: Member) -> None:
        """Starts a member and watches it from now on. Raises EmbeddedError when it cannot be started."""
        member.start()
        self._states.append(_State(member, started_at=time.monotonic()))

    def start_child(self, name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> Child:
        """Starts a child process as a member."""
        child = Child(name, command, environment=environment, say=self.say, hurry=self.hurry)
        self.start(child)
        return child

    @property
    def stop_asked(self) -> bool:
        return self._stop_asked.is_set()

    def request_stop(self) -> None:
        """The first call asks for an orderly stop, the second for an immediate one. Safe in a signal handler."""
        if self._stop_asked.is_set():
            self.hurry.set()
        self._stop_asked.set()

    @contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP request a stop, so that Ctrl-C is orderly and a second Ctrl-C is quick."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.request_stop()

        before = {each: signal.signal(each, handle) for each in STOP_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Watches the members until a stop is requested or `until()` is true (asked ten times a second)."""
        while not self.stop_asked and not until():
            self.look()
            self._stop_asked.wait(LOOK_SECONDS)

    def look(self) -> None:
        """One round: notes who ended, and starts again whoever has waited long enough."""
        now = time.monotonic()
        for state in self._states:
            if state.due_at is None:
                code = state.member.poll()
                if code is not None:
                    self._note_crash(state, describe_exit(code), now)
            elif now >= state.due_at and not self.stop_asked:
                self._start_again(state)

    def stop(self) -> None:
        """Stops all members in reverse order, even if one of them cannot be stopped; raises that error at the end."""
        self._stop_asked.set()
        failures: list[Exception] = []
        while self._states:
            state = self._states.pop()
            try:
                state.member.stop()
            except (OSError, EmbeddedError, subprocess.SubprocessError) as error:
                self.say(state.member.name, f"could not be stopped: {error}")
                failures.append(error)
        if failures:
            raise failures[0]

    def _note_crash(self, state: _State, how: str, now: float) -> None:
        if now - state.started_at >= self.back_off.quiet:
            state.crashes = 0
        state.crashes += 1
        pause = self.back_off.pause(state.crashes)
        state.due_at = now + pause
        self.say(state.member.name, f"ended with {how}; starting it again in {pause:g} s")

    def _start_again(self, state: _State) -> None:
        try:
            state.member.stop()  # lets go of locks and pipes of the dead process
            state.member.start()
        except EmbeddedError as error:
            self._note_crash(state, f"an error ({error})", time.monotonic())
            return
        state.started_at = time.monotonic()
        state.due_at = None
        self.say(state.member.name, "runs again")


def print_lines(width: int, out: IO[str] = sys.stdout) -> Say:
    """A `say` that prints `name | line`, whole lines only, from any thread."""
    lock = threading.Lock()

    def say(name: str, line: str) -> None:
        with lock:
            out.write(f"{name:<{width}} | {line}\n")
            out.flush()

    return say
