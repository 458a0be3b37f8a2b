"""PostgreSQL stopped and started again in the middle of sending: none lost, none twice, at most one doubt per mailbox."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from actors.main import all_handlers
from app.core.resources import Resources
from app.embedded.postgres import EmbeddedPostgres
from app.outreach.campaigns import Campaign
from app.wiring import build_resources, opened
from db.core.tiers import CONTENT, OLAP, OLTP, SYSTEM
from tests.actors.core.stage import relay, until
from tests.actors.core.test_restarts import Place, place
from tests.actors.outreach.test_sending_killed import DONE, MAILBOXES, killable, start_worker
from tests.app.outreach.sending_stage import SendingStage

MAILS = 300
SENT_BEFORE = 60


@asynccontextmanager
async def standing_on(here: Place) -> AsyncIterator[Resources]:
    """Resources on servers of this test's own; the pools of the run's servers come back afterwards."""
    before = [(engine, engine.pool, engine.config) for engine in (OLTP, CONTENT, OLAP, SYSTEM)]
    try:
        async with opened(build_resources(here.settings), system=True) as resources:
            yield resources
    finally:
        for engine, pool, config in before:
            engine.pool, engine.config = pool, config


async def test_postgresql_restarted_in_the_middle_of_sending_loses_and_doubles_nothing(data_folder: Path) -> None:
    recipients = [f"lead{number}@lead.example" for number in range(MAILS)]
    async with (
        place(data_folder / "servers") as here,
        standing_on(here) as resources,
        killable(resources, data_folder) as (sending, settings),
        relay(resources, all_handlers().queues),
    ):
        worker = await start_worker(settings)
        try:
            boxes = [await sending.connected(f"m{number}@acme.example") for number in range(MAILBOXES)]
            campaign = await sending.launched(recipients, boxes)
            await until(lambda: _sandbox_has(sending, SENT_BEFORE), seconds=20)
            await asyncio.to_thread(_restart, here.postgres)
            taken_by_then = len(sending.received())
            await until(lambda: _is_over(sending, campaign), seconds=60)
            still_running = worker.returncode is None
        finally:
            worker.terminate()
            await worker.wait()

        counts = await sending.counts(campaign)
        states = await sending.outcomes(campaign)
        received = sending.received()

    assert SENT_BEFORE <= taken_by_then < MAILS  # it happened in the middle
    assert still_running
    assert set(counts) <= set(DONE)
    assert sum(counts.values()) == MAILS
    assert counts.get("in_doubt", 0) <= MAILBOXES
    assert set(received.values()) == {1}
    assert Counter(state for state, _, _ in states.values()) == Counter(counts)
    is_sent = {recipient for recipient, (state, _, _) in states.items() if state == "sent"}
    assert is_sent <= set(received)
    assert {recipient for recipient, (state, _, _) in states.items() if state == "in_doubt"} >= set(received) - is_sent


def _restart(postgres: EmbeddedPostgres) -> None:
    """As `pg_ctl restart -m fast`: open transactions are rolled back, connections closed."""
    postgres.stop()
    postgres.start()


async def _sandbox_has(sending: SendingStage, number: int) -> bool:
    return len(sending.received()) >= number


async def _is_over(sending: SendingStage, campaign: Campaign) -> bool:
    return await sending.state(campaign) == "completed"
