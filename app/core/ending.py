"""Ending background tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

_PAUSE_SECONDS = 0.2


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels the tasks until all have ended; their results and errors are dropped.

    Once is not enough: redis-py answers a cancellation in mid-read with a TimeoutError of its own, after which a loop that
    outlives Redis goes on.
    """
    ended = list(tasks)
    pending = {task for task in ended if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_PAUSE_SECONDS)
    await asyncio.gather(*ended, return_exceptions=True)
