"""A worker process of the queue `imports`, with the real handlers: `python -m tests.actors.outreach.import_worker`."""

import asyncio
import json
import sys

from actors.main import run_workers
from app.core.settings import Settings


async def spare_import_worker() -> asyncio.subprocess.Process:
    """Loads the program, and waits for `begin`. The caller ends it."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.actors.outreach.import_worker", stdin=asyncio.subprocess.PIPE
    )


async def begin(process: asyncio.subprocess.Process, settings: Settings) -> None:
    """Lets a spare worker work."""
    assert process.stdin is not None
    values = settings.model_dump(mode="json")
    values["master_keys"] = settings.master_keys.get_secret_value()
    values["token_key"] = settings.token_key.get_secret_value()
    process.stdin.write(json.dumps(values).encode() + b"\n")
    await process.stdin.drain()


async def start_import_worker(settings: Settings) -> asyncio.subprocess.Process:
    """The caller ends it."""
    process = await spare_import_worker()
    await begin(process, settings)
    return process


if __name__ == "__main__":
    run_workers(Settings.model_validate(json.loads(sys.stdin.readline())), frozenset({"imports"}))
