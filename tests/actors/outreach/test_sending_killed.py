"""Workers killed with -9 in the middle of sending: none lost, none twice, at most one doubt per mailbox and kill."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from actors.main import all_handlers
from app.core.clock import Clock
from app.core.resources import Resources
from app.core.settings import Settings
from app.outreach.campaigns import Campaign
from tests.actors.core.stage import relay, until
from tests.app.outreach.sending_stage import SendingStage, sending_stage

MAILBOXES = 4
DONE = ("sent", "in_doubt")


async def start_worker(settings: Settings) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.actors.outreach.sending_worker", stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    values = settings.model_dump(mode="json") | {
        "master_keys": settings.master_keys.get_secret_value(),
        "token_key": settings.token_key.get_secret_value(),
    }
    process.stdin.write(json.dumps(values).encode() + b"\n")
    await process.stdin.drain()
    return process


@asynccontextmanager
async def killable(resources: Resources, folder: Path) -> AsyncIterator[tuple[SendingStage, Settings]]:
    """A stage in real time, and the settings for its workers."""
    async with sending_stage(resources, folder) as sending:
        own = replace(sending.owner.resources, clock=Clock())
        sending.stage = replace(sending.stage, owner=replace(sending.owner, resources=own))
        changed = {"trust_ca_file": sending.sandbox.ca_file, "job_lease_seconds": 2.0, "worker_threads": 8}
        yield sending, own.settings.model_copy(update=changed)


@pytest.mark.parametrize(
    ("mails", "kills"), [(400, 2), pytest.param(2_000, 8, marks=pytest.mark.full)], ids=["sample", "full"]
)
async def test_killed_workers_lose_nothing_and_double_nothing(
    resources: Resources, tmp_path: Path, mails: int, kills: int
) -> None:
    recipients = [f"lead{number}@lead.example" for number in range(mails)]
    async with killable(resources, tmp_path) as (sending, settings), relay(resources, all_handlers().queues):
        worker = await start_worker(settings)
        try:
            boxes = [await sending.connected(f"m{number}@acme.example") for number in range(MAILBOXES)]
            campaign = await sending.launched(recipients, boxes)
            for kill in range(1, kills + 1):
                wanted = mails * kill // (kills + 2)
                await until(lambda wanted=wanted: _sent(sending, campaign, wanted), seconds=90)  # type: ignore[misc]
                worker.kill()
                await worker.wait()
                worker = await start_worker(settings)
            await until(lambda: _is_over(sending, campaign), seconds=120)
        finally:
            worker.terminate()
            await worker.wait()

        counts = await sending.counts(campaign)
        assert sum(counts.get(name, 0) for name in DONE) == mails
        assert counts.get("in_doubt", 0) <= kills * MAILBOXES
        received = sending.received()
        assert set(received.values()) == {1}
        assert mails - counts.get("in_doubt", 0) <= len(received) <= mails
        states = await sending.outcomes(campaign)
        assert Counter(state for state, _, _ in states.values()) == Counter(counts)
        assert {each for each, (state, _, _) in states.items() if state == "sent"} <= set(received)


async def _sent(sending: SendingStage, campaign: Campaign, number: int) -> bool:
    return (await sending.counts(campaign)).get("sent", 0) >= number


async def _is_over(sending: SendingStage, campaign: Campaign) -> bool:
    return await sending.state(campaign) == "completed"
