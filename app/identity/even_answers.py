"""Answers that take the same time whatever they found, where the time would tell whether an account exists."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.caller import Caller


@asynccontextmanager
async def even_answer(caller: Caller) -> AsyncIterator[None]:
    """Waits at the end, also after a refusal, until a whole number of `even_answer_seconds` has passed since the start.

    The costly part, argon2, runs equally often on every path; this hides the rest, such as the rows that are written.
    """
    started = time.monotonic()
    try:
        yield
    finally:
        quantum = caller.resources.settings.even_answer_seconds
        if quantum > 0:
            await asyncio.sleep(quantum - (time.monotonic() - started) % quantum)
