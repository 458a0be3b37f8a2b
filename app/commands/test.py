"""`test`: everything that must hold before a change is taken."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.commands.checkout import checkout_root
from app.commands.options import DEFAULT_DATA, DataOption

WORKERS: Final = 2
SUMMARY: Final = re.compile(r"\b\d+ (passed|failed|errors?|skipped|deselected)\b.* in [\d.]+s")
COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    succeeded: bool
    seconds: float


def static_steps() -> list[Step]:
    """What needs no server, quickest first."""
    python = sys.executable
    lint_imports = Path(python).with_name("lint-imports")
    return [
        Step("format", [python, "-m", "ruff", "format", "--check", "."]),
        Step("lint", [python, "-m", "ruff", "check", "."]),
        Step("architecture", [str(lint_imports)]),
        Step("schema", [python, "-m", "app.cli", "schema", "--check"]),
        Step("types", [python, "-m", "mypy"]),
    ]


def pytest_step(*, full: bool) -> Step:
    """All tests with branch coverage; the gate (pyproject.toml, fail_under) is part of its exit code."""
    command = [sys.executable, "-m", "pytest", "-n", str(WORKERS), "--cov", "--cov-branch", "--cov-report=term"]
    command.append("--dist=loadfile")  # tests that share an `up` stay on one worker
    return Step("tests", command if full else [*command, "-m", "not full"])


def test(
    full: Annotated[
        bool, typer.Option("--full", help="The long chaos runs too; a sample of them runs always.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Format, lint, strict types, architecture contracts, schema drift, and all tests with branch coverage (at least
    85 %) on a real PostgreSQL and Redis of their own. Everything runs to its end; the last line is pytest's."""
    root = checkout_root()
    console = Console(soft_wrap=True, highlight=False)
    outcomes = [run_quietly(step, root, console) for step in static_steps()]
    step = pytest_step(full=full)
    outcome, summary = run_visibly(step, root)
    outcomes.append(outcome)
    console.print(table_of(outcomes))
    failed = [each.name for each in outcomes if not each.succeeded]
    if failed:
        console.print(f"Failed: {', '.join(failed)}. What each of them said is above.", style="red")
    typer.echo(summary)
    raise typer.Exit(1 if failed else 0)


def own_environment() -> dict[str, str]:
    """Without the settings of a running installation: tests make their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PENGUINMAILS_")}


def run_quietly(step: Step, root: Path, console: Console) -> Outcome:
    """Shows what the step said only when it failed."""
    began = time.monotonic()
    done = subprocess.run(
        list(step.command),
        cwd=root,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=own_environment(),
    )
    outcome = Outcome(step.name, done.returncode == 0, time.monotonic() - began)
    console.print(f"{step.name}: {'passed' if outcome.succeeded else 'FAILED'} in {outcome.seconds:.1f} s")
    if not outcome.succeeded:
        console.print(done.stdout, markup=False)
    return outcome


def run_visibly(step: Step, root: Path) -> tuple[Outcome, str]:
    """Passes the step's lines on as they come. Returns pytest's summary line too."""
    began = time.monotonic()
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    summary = "pytest ended without a summary"
    with subprocess.Popen(
        [*step.command, *colour],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=own_environment(),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if SUMMARY.search(COLOUR.sub("", line)):
                summary = line.rstrip("\n")
    return Outcome(step.name, process.returncode == 0, time.monotonic() - began), summary


def table_of(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="penguinmails test", title_justify="left")
    table.add_column("step")
    table.add_column("result")
    table.add_column("seconds", justify="right")
    for outcome in outcomes:
        result = "passed" if outcome.succeeded else "[red]FAILED[/red]"
        table.add_row(outcome.name, result, f"{outcome.seconds:.1f}")
    table.add_row("all", "", f"{sum(each.seconds for each in outcomes):.1f}", style="bold")
    return table
