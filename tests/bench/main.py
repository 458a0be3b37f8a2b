"""Runs every measurement on servers of its own, and shows one table, or one JSON object as the last line."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from rich.console import Console

from app.core.logging import configure_logging
from tests.bench.deployment import Deployment, deployment
from tests.bench.figures import Figure, as_object, as_table
from tests.bench.graphql import measure_graphql
from tests.bench.imports import measure_imports
from tests.bench.jobs import measure_jobs
from tests.bench.live import measure_live
from tests.bench.planning import measure_planning
from tests.bench.sending import measure_sending

Measurement = Callable[[Deployment], Awaitable[list[Figure]]]
MEASUREMENTS: tuple[tuple[str, Measurement], ...] = (
    ("graphql", measure_graphql),
    ("jobs", measure_jobs),
    ("imports", measure_imports),
    ("sending", measure_sending),
    ("planning", measure_planning),
    ("live", measure_live),
)


def run(as_json: bool, only: frozenset[str] = frozenset()) -> int:
    """`only` names some of MEASUREMENTS; empty means all. Progress goes to standard error. Returns the exit code; a measurement that fails raises."""
    configure_logging("warning")
    progress = Console(stderr=True, highlight=False)
    with deployment() as deployed:
        figures = asyncio.run(_measure(deployed, progress, only))
    if as_json:
        sys.stdout.write(json.dumps(as_object(figures)) + "\n")
    else:
        Console(highlight=False).print(as_table(figures))
    return 0


async def _measure(deployed: Deployment, progress: Console, only: frozenset[str]) -> list[Figure]:
    figures: list[Figure] = []
    for name, measure in MEASUREMENTS:
        if only and name not in only:
            continue
        started = time.monotonic()
        figures += await measure(deployed)
        progress.print(f"{name}: {time.monotonic() - started:.0f} s")
    return figures
