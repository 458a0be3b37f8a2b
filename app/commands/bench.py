"""`bench`: the measurements of tests/bench, which start servers of their own."""

import os
import sys
from typing import Annotated

import typer

from app.commands.checkout import checkout_root
from app.commands.options import DEFAULT_DATA, DataOption


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object instead of a table.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Measure, each figure as a ratio within one run: GraphQL, jobs, sending, imports, planning, live events."""
    root = checkout_root()
    os.chdir(root)
    command = [sys.executable, "-m", "tests.bench", *(["--json"] if as_json else [])]
    sys.stdout.flush()
    os.execve(command[0], command, os.environ | {"PYTHONPATH": str(root)})
