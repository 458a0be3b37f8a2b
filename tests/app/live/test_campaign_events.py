"""A campaign's events are found by an index, behind the wall: what others do in the tenant costs its readers nothing."""

import asyncio
from contextlib import aclosing
from uuid import UUID

import pytest

from app.core.caller import Caller
from app.core.ids import new_id
from app.core.resources import Resources
from app.live.events import write_cursor
from app.live.recording import record
from app.live.topics import CampaignProgressed, CampaignStatusChanged, LiveEvent, MessageSent
from app.live.watching import Only, stream
from db.core.migration import APP
from db.core.transaction import current
from db.queries.live import reading
from db.queries.live.reading import EventFilter
from tests.app.live.stage import number, tenant_caller, watching

FOREIGN = 50_000
FETCHED = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'live_events'"


def sent(campaign_id: UUID) -> MessageSent:
    return MessageSent(
        workspace_id=None,
        object_id=new_id(),
        version=1,
        campaign_id=campaign_id,
        mailbox_id=None,
        recipient="lead@lead.example",
        state="sent",
        reason=None,
        reply=None,
    )


async def record_all(caller: Caller, *events: LiveEvent) -> None:
    async with caller.transaction():
        for event in events:
            await record(caller, event)


async def with_foreign_events(caller: Caller) -> None:
    """Numbered already, of another campaign; in positions of their own."""
    async with caller.transaction():
        await current().execute(
            "INSERT INTO live_events (tenant_id, id, position, topic, object_type, object_id, version, payload, created_at, "
            "campaign_id) SELECT $1, gen_random_uuid(), n, 'message.sent', 'Message', gen_random_uuid(), 1, "
            "jsonb_build_object('campaign_id', $2::uuid), now(), $2 FROM generate_series(1, $3::int) n",
            caller.tenant_id,
            new_id(),
            FOREIGN,
        )
        await current().execute("INSERT INTO live_heads VALUES ($1, $2)", caller.tenant_id, FOREIGN)


async def rows_looked_at(caller: Caller, campaign_id: UUID, *, plan: str, expected: int) -> int:
    """How many rows of live_events PostgreSQL fetched for the reader's own statement, run as the app role."""
    async with caller.transaction(read_only=True):
        assert await current().fetchval("SELECT current_user") == APP
        await current().execute(f"SET LOCAL plan_cache_mode = {plan}")
        before = await current().fetchval(FETCHED)
        found = await reading.events_after(
            0, up_to=FOREIGN + 10, limit=500, only=EventFilter(whole=("campaign_id", campaign_id))
        )
        after = await current().fetchval(FETCHED)
    assert len(found) == expected
    return int(after - before)


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_reading_a_campaigns_events_looks_at_no_others(resources: Resources, plan: str) -> None:
    async with watching(resources) as (mine, _):
        caller, campaign = tenant_caller(mine), new_id()
        await with_foreign_events(caller)
        moved = CampaignProgressed(workspace_id=None, object_id=campaign, version=1, what="planned", count=3)
        done = CampaignStatusChanged(workspace_id=None, object_id=campaign, version=2, state="completed")
        await record_all(caller, moved, sent(campaign), sent(new_id()), sent(campaign), done)
        await number(mine)

        assert await rows_looked_at(caller, campaign, plan=plan, expected=4) == 4


async def test_a_campaigns_stream_from_the_first_cursor_has_its_own_and_its_messages_events(
    resources: Resources,
) -> None:
    async with watching(resources) as (mine, _):
        caller, campaign = tenant_caller(mine), new_id()
        moved = CampaignProgressed(workspace_id=None, object_id=campaign, version=1, what="planned", count=3)
        await record_all(caller, moved, sent(new_id()), sent(campaign))
        await number(mine)
        only = Only(whole=("campaign_id", campaign))

        async with aclosing(stream(caller, after=write_cursor(0), only=only)) as events:
            found = [await asyncio.wait_for(anext(events), 5) for _ in range(2)]
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.1)
            await record_all(caller, sent(new_id()), sent(campaign))
            await number(mine)
            found.append(await asyncio.wait_for(waiting, 5))

        assert [(event.position, event.topic) for event in found] == [
            (1, "campaign.progressed"),
            (3, "message.sent"),
            (5, "message.sent"),
        ]
