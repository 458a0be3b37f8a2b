"""The supervisor with real child processes: order, crashes, signals, the death of the supervisor itself."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.embedded.errors import EmbeddedError
from app.embedded.supervisor import BackOff, Child, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
ROOT = Path(__file__).parents[3]


class Lines:
    """What was said, as (name, line)."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []

    def say(self, name: str, line: str) -> None:
        self.all.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.all if who == name]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def supervisor(lines: Lines) -> Iterator[Supervisor]:
    made = Supervisor(say=lines.say, back_off=BackOff(first=0.05, most=0.2, quiet=60))
    yield made
    made.request_stop()
    made.request_stop()
    made.stop()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    supervisor.run(until=lambda: condition() or time.monotonic() > deadline)
    assert condition()


def test_output_of_a_child_is_said_line_by_line_with_its_name(supervisor: Supervisor, lines: Lines) -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.stdout.buffer.write(b'\\xff three\\n'); import time; time.sleep(600)"
    supervisor.start_child("talker", python(code), environment=os.environ)

    run_until(supervisor, lambda: len(lines.of("talker")) >= 3)

    assert sorted(lines.of("talker")) == ["one", "two", "\ufffd three"]


def test_a_crashed_child_is_started_again_and_said_so(supervisor: Supervisor, lines: Lines) -> None:
    child = supervisor.start_child("worker", python(SLEEPER), environment=os.environ)
    run_until(supervisor, lambda: lines.of("worker") == ["up"])
    first = child.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    run_until(supervisor, lambda: lines.of("worker").count("up") == 2)

    assert child.pid not in (None, first)
    assert "ended with SIGKILL; starting it again in 0.05 s" in lines.of("worker")
    assert "runs again" in lines.of("worker")


def test_pauses_double_up_to_the_most_while_a_child_keeps_crashing(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start_child("broken", python("raise SystemExit(3)"), environment=os.environ)

    run_until(supervisor, lambda: sum("ended with" in line for line in lines.of("broken")) >= 4)

    ends = [line for line in lines.of("broken") if "ended with" in line]
    assert ends[:4] == [
        f"ended with exit code 3; starting it again in {each} s" for each in ("0.05", "0.1", "0.2", "0.2")
    ]


def test_a_long_quiet_life_forgets_earlier_crashes() -> None:
    lines = Lines()
    supervisor = Supervisor(say=lines.say, back_off=BackOff(first=0.05, most=10, quiet=0))
    supervisor.start_child("broken", python("raise SystemExit(3)"), environment=os.environ)
    run_until(supervisor, lambda: sum("ended with" in line for line in lines.of("broken")) >= 3)
    supervisor.stop()

    ends = [line for line in lines.of("broken") if "ended with" in line]
    assert set(ends) == {"ended with exit code 3; starting it again in 0.05 s"}


class Recorded:
    """A member that notes its stop."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name = name
        self._order = order

    def start(self) -> None:
        self._order.append(f"start {self.name}")

    def poll(self) -> int | None:
        return None

    def stop(self) -> None:
        self._order.append(f"stop {self.name}")
        if self.name == "b":
            raise EmbeddedError("b resists")


def test_members_stop_in_reverse_order_even_if_one_cannot_be_stopped(lines: Lines) -> None:
    order: list[str] = []
    supervisor = Supervisor(say=lines.say)
    for name in "abc":
        supervisor.start(Recorded(name, order))

    with pytest.raises(EmbeddedError, match="b resists"):
        supervisor.stop()

    assert order == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]


def test_a_child_that_ignores_sigterm_is_killed_with_what_it_started_when_its_grace_ends(lines: Lines) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {STUBBORN}"
    child = Child(
        "stubborn", python(code), environment=os.environ, say=lines.say, hurry=threading.Event(), grace_seconds=0.3
    )
    child.start()
    assert child.pid is not None
    wait_for(lambda: lines.of("stubborn") == ["up", "up"])
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children()]

    child.stop()

    assert "did not end in time and is killed" in lines.of("stubborn")
    assert len(family) == 2
    wait_for(lambda: not any(alive(each) for each in family))


def test_the_second_request_to_stop_does_not_wait_for_the_grace(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start_child("stubborn", python(STUBBORN), environment=os.environ)
    run_until(supervisor, lambda: lines.of("stubborn") == ["up"])

    supervisor.request_stop()
    supervisor.request_stop()
    began = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - began < 5


def test_a_program_that_does_not_exist_is_an_error_that_names_it(supervisor: Supervisor) -> None:
    with pytest.raises(EmbeddedError, match="cannot start /no/such/program"):
        supervisor.start_child("none", ["/no/such/program"], environment=os.environ)


OUTER = """
    import os, sys
    from app.embedded.supervisor import Supervisor, print_lines
    supervisor = Supervisor(say=print_lines(6))
    with supervisor.stopping_on_signals():
        child = supervisor.start_child("inner", [sys.executable, "-c", {code!r}], environment=os.environ)
        print("pid", child.pid, flush=True)
        supervisor.run()
        supervisor.stop()
    print("stopped", flush=True)
"""


@pytest.fixture
def outer() -> Iterator[Callable[[str], tuple[subprocess.Popen[str], psutil.Process]]]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> tuple[subprocess.Popen[str], psutil.Process]:
        program = textwrap.dedent(OUTER).format(code=code)
        environment = dict(os.environ, PYTHONPATH=str(ROOT))
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout is not None
        first = {process.stdout.readline().strip(), process.stdout.readline().strip()}
        assert "inner  | up" in first
        (pid,) = (int(line.removeprefix("pid ")) for line in first if line.startswith("pid "))
        return process, psutil.Process(pid)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_stops_the_children_and_ends_with_success(
    outer: Callable[[str], tuple[subprocess.Popen[str], psutil.Process]],
) -> None:
    process, child = outer(SLEEPER)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)

    assert output == "stopped\n"
    assert process.returncode == 0
    assert not alive(child)


def test_ctrl_c_twice_kills_a_child_that_does_not_want_to_end(
    outer: Callable[[str], tuple[subprocess.Popen[str], psutil.Process]],
) -> None:
    process, child = outer(STUBBORN)

    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert alive(child)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)

    assert output.splitlines() == ["inner  | did not end in time and is killed", "stopped"]
    assert not alive(child)


def test_children_die_with_a_supervisor_that_was_killed(
    outer: Callable[[str], tuple[subprocess.Popen[str], psutil.Process]],
) -> None:
    process, child = outer(SLEEPER)

    process.kill()

    wait_for(lambda: not alive(child))
