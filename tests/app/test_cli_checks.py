"""The steps of `test`: what is shown of a step, and which line is pytest's own summary."""

import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from app.commands.test import Outcome, Step, own_environment, pytest_step, run_quietly, run_visibly, table_of


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_step_that_passes_is_one_line_and_one_that_fails_shows_what_it_said(tmp_path: Path) -> None:
    out = StringIO()
    console = Console(file=out, soft_wrap=True, highlight=False)

    passed = run_quietly(Step("lint", python("print('all is well')")), tmp_path, console)
    failed = run_quietly(Step("types", python("print('[bold] error: x.py:3'); raise SystemExit(2)")), tmp_path, console)

    assert (passed.succeeded, failed.succeeded) == (True, False)
    assert "lint: passed in " in out.getvalue()
    assert "all is well" not in out.getvalue()
    assert "types: FAILED in " in out.getvalue()
    assert "[bold] error: x.py:3" in out.getvalue()


@pytest.mark.parametrize(
    ("line", "succeeds"),
    [
        ("===== 812 passed, 3 deselected in 241.77s (0:04:01) =====", True),
        ("===== 1 failed, 811 passed in 240.01s =====", False),
        ("2 errors in 0.31s", False),
    ],
)
def test_the_summary_line_of_pytest_is_found_among_its_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, succeeds: bool
) -> None:
    code = f"print('TOTAL 85 percent'); print({line!r}); raise SystemExit({0 if succeeds else 1})"

    outcome, summary = run_visibly(Step("tests", python(code)), tmp_path)

    assert (outcome.succeeded, summary) == (succeeds, line)
    assert capsys.readouterr().out == f"TOTAL 85 percent\n{line}\n"


def test_a_pytest_that_dies_is_a_failure_without_a_summary(tmp_path: Path) -> None:
    outcome, summary = run_visibly(Step("tests", python("import os; os.kill(os.getpid(), 9)")), tmp_path)

    assert (outcome.succeeded, summary) == (False, "pytest ended without a summary")


def test_the_long_chaos_runs_are_part_of_the_full_test_only() -> None:
    assert pytest_step(full=False).command[-2:] == ["-m", "not full"]
    assert "not full" not in pytest_step(full=True).command
    for each in (pytest_step(full=False), pytest_step(full=True)):
        assert list(each.command[3:7]) == ["-n", "2", "--cov", "--cov-branch"]


def test_steps_get_nothing_of_a_running_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENGUINMAILS_OLTP_URL", "postgresql://somewhere.example/real")

    assert not any(name.startswith("PENGUINMAILS_") for name in own_environment())


def test_the_table_names_each_step_with_its_result_and_seconds() -> None:
    out = StringIO()
    Console(file=out, width=80).print(table_of([Outcome("lint", True, 1.25), Outcome("tests", False, 200.0)]))

    rows = [line.replace("│", " ").split() for line in out.getvalue().splitlines()]
    assert ["lint", "passed", "1.2"] in rows
    assert ["tests", "FAILED", "200.0"] in rows
    assert ["all", "201.2"] in rows
