"""A campaign watched live: every event once and in order, and the latest state at most once a second."""

import asyncio
from contextlib import aclosing
from uuid import UUID

import pytest

from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.resources import Resources
from app.outreach.campaign_launch import launch_campaign
from app.outreach.campaign_views import CampaignView, StoredEvent, campaign_events, campaign_status
from app.outreach.mailbox_status import mailbox_status
from tests.app.live.stage import number
from tests.app.outreach.contact_stage import new_stage
from tests.app.outreach.sending_stage import SendingStage, people


async def test_every_event_of_a_campaign_and_its_mails_is_streamed_once_and_in_order(
    sending: SendingStage, resources: Resources
) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.draft(people(5), [mailbox])
    other = await sending.draft(["other@lead.example"], [mailbox], name="Other")
    await number(resources)
    watching = asyncio.create_task(_until_complete(sending, campaign.id))
    await asyncio.sleep(0.3)

    await launch_campaign(sending.owner, campaign.id)
    await launch_campaign(sending.owner, other.id)
    await sending.work()
    await number(resources)
    events = await asyncio.wait_for(watching, 15)

    assert [event.topic for event in events if event.object_id == campaign.id] == [
        "campaign.status_changed",
        "campaign.progressed",
        "campaign.progressed",
        "campaign.status_changed",
    ]
    sent = [event.payload["recipient"] for event in events if event.topic == "message.sent"]
    assert sorted(sent) == people(5)
    assert [event.position for event in events] == sorted({event.position for event in events})


async def test_a_stream_goes_on_after_a_cursor_without_loss_or_repetition(
    sending: SendingStage, resources: Resources
) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(6), [mailbox])
    await sending.work()
    await number(resources)
    from_start = await _events(sending, campaign.id, after=await _first_cursor(sending), count=7)

    half = from_start[3]
    rest = await _events(sending, campaign.id, after=half.cursor, count=3)

    assert [event.position for event in rest] == [event.position for event in from_start[4:]]


async def test_the_state_comes_at_once_and_again_after_changes(sending: SendingStage, resources: Resources) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.draft(people(4), [mailbox])
    await number(resources)
    seen: list[CampaignView] = []

    async with aclosing(campaign_status(sending.stage.worker(), campaign.id)) as states:
        seen.append(await asyncio.wait_for(anext(states), 5))
        await launch_campaign(sending.owner, campaign.id)
        await sending.work()
        await number(resources)
        while seen[-1].campaign.state != "completed":
            seen.append(await asyncio.wait_for(anext(states), 10))

    assert seen[0].campaign.state == "draft"
    assert (seen[-1].counts.sent, seen[-1].counts.enrolled) == (4, 4)
    assert len(seen) <= 3


async def test_a_strangers_campaign_and_mailbox_cannot_be_watched(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.draft(people(1), [mailbox])
    stranger = (await new_stage(sending.owner.resources)).worker()

    for campaign_id in (campaign.id, new_id()):
        with pytest.raises(NotFound):
            await anext(campaign_status(stranger, campaign_id))
        with pytest.raises(NotFound):
            await anext(campaign_events(stranger, campaign_id, after=None))
    with pytest.raises(NotFound):
        await anext(mailbox_status(stranger, mailbox.id))


async def _until_complete(sending: SendingStage, campaign_id: UUID) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    async with aclosing(campaign_events(sending.stage.worker(), campaign_id, after=None)) as stream:
        async for event in stream:
            events.append(event)
            if event.payload.get("state") == "completed":
                break
    return events


async def _events(sending: SendingStage, campaign_id: UUID, *, after: str, count: int) -> list[StoredEvent]:
    found: list[StoredEvent] = []
    async with aclosing(campaign_events(sending.stage.worker(), campaign_id, after=after)) as stream:
        async for event in stream:
            found.append(event)
            if len(found) == count:
                break
    return found


async def _first_cursor(sending: SendingStage) -> str:
    rows = await sending.stage.rows("SELECT min(position) AS first FROM live_events WHERE tenant_id = $1")
    assert rows[0]["first"] == 1
    row = (await sending.stage.rows("SELECT * FROM live_events WHERE tenant_id = $1 AND position = 1"))[0]
    names = ("position", "id", "topic", "workspace_id", "object_type", "object_id", "version", "payload", "created_at")
    return StoredEvent(**{name: row[name] for name in names}).cursor
