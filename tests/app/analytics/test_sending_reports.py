"""Sending by day: each event counted once, and figures that say when they are behind or away."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from app.analytics.sending_reports import SendingReport, sending_report
from app.analytics.sending_rollups import roll_up_sending
from app.core.errors import BadInput
from app.core.resources import Resources
from app.outreach.messages import messages, resolve_in_doubt_message
from app.outreach.rules.message_states import InDoubtOutcome, MessageState
from tests.app.live.stage import number
from tests.app.outreach.contact_stage import new_stage
from tests.app.outreach.sending_stage import SendingStage, people, sending_stage
from tests.graph.outreach.test_content_down import away
from tests.servers import TestServers

DAY = date(2026, 11, 24)


@pytest.fixture
async def sending(resources: Resources, tmp_path: Path) -> AsyncIterator[SendingStage]:
    async with sending_stage(resources, tmp_path) as made:
        yield made


async def report(sending: SendingStage) -> SendingReport:
    return await sending_report(sending.owner, sending.stage.workspace_id, from_on=DAY, to_on=DAY)


async def test_events_are_counted_once_however_often_the_job_runs(sending: SendingStage, resources: Resources) -> None:
    mailbox = await sending.mailbox()
    await sending.launched([*people(4), "x+unknown-user@lead.example", "y+tempfail@lead.example"], [mailbox])
    await sending.work()
    before = await report(sending)
    await number(resources, publishing=False)
    for _ in range(3):
        await roll_up_sending(sending.stage.worker())
    await sending.launched(["late@lead.example"], [mailbox])
    await sending.work()
    await number(resources, publishing=False)
    behind = await report(sending)
    await sending.work(until=sending.later(minutes=2), only=["rollup.sending"])
    after = await report(sending)

    assert (before.days, before.counted_at, before.stale_reason is not None) == ([], None, True)
    assert [(day.sent, day.bounced, day.deferred, day.failed, day.in_doubt) for day in behind.days] == [(4, 1, 1, 0, 0)]
    assert behind.stale_reason == "Some of the newest mails are not counted yet."
    assert sum(day.sent for day in after.days) == 5
    assert (after.stale_reason, after.counted_at) == (None, sending.clock.now())
    assert {day.sent_on for day in after.days} == {DAY}


@pytest.mark.parametrize("counted_in_between", [True, False])
@pytest.mark.parametrize(
    ("outcome", "send_again", "doubts_day"),
    [
        (InDoubtOutcome.SENT, False, {"sent": 1}),
        (InDoubtOutcome.NOT_SENT, False, {"failed": 1}),
        (InDoubtOutcome.NOT_SENT, True, {}),
    ],
)
async def test_a_resolved_doubt_is_counted_on_its_day_as_what_it_turned_out_to_be(
    sending: SendingStage,
    resources: Resources,
    outcome: InDoubtOutcome,
    send_again: bool,
    doubts_day: dict[str, int],
    counted_in_between: bool,
) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(["x+drop-after-data@lead.example"], [mailbox])
    await sending.work(until=sending.later(hours=2))
    if counted_in_between:
        await counted(sending, resources)
        assert await figures(sending, DAY) == {"in_doubt": 1}
    sending.clock.move(86_400)
    page = await messages(sending.owner, campaign.id, state=MessageState.IN_DOUBT, first=5, after=None)
    await sending.execute("UPDATE messages SET to_address = 'x@lead.example' WHERE tenant_id = $1")

    await resolve_in_doubt_message(sending.owner, page.items[0].id, outcome, send_again=send_again)
    await sending.work()
    for _ in range(2):
        await counted(sending, resources)

    assert await figures(sending, DAY) == doubts_day
    assert await figures(sending, date(2026, 11, 25)) == ({"sent": 1} if send_again else {})


async def counted(sending: SendingStage, resources: Resources) -> None:
    await number(resources, publishing=False)
    await roll_up_sending(sending.stage.worker())


async def figures(sending: SendingStage, day: date) -> dict[str, int]:
    """Of the workspace on that day, without zeros."""
    days = (await sending_report(sending.owner, sending.stage.workspace_id, from_on=day, to_on=day)).days
    names = ("sent", "bounced", "failed", "deferred", "in_doubt")
    sums = {name: sum(getattr(each, name) for each in days) for name in names}
    return {name: value for name, value in sums.items() if value}


async def test_without_the_olap_tier_sending_goes_on_and_the_report_says_so(
    sending: SendingStage, servers: TestServers, databases: dict[str, str]
) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(3), [mailbox])

    async with away(servers, databases["olap"]):
        await sending.work()
        down = await report(sending)

    assert await sending.counts(campaign) == {"sent": 3}
    assert (down.days, down.counted_at) == ([], None)
    assert down.stale_reason is not None
    assert down.stale_reason.startswith("The figures cannot be read now")


async def test_another_tenants_workspace_has_no_figures_and_a_wrong_range_is_refused(sending: SendingStage) -> None:
    stranger = await new_stage(sending.owner.resources)

    seen = await sending_report(stranger.owner, sending.stage.workspace_id, from_on=DAY, to_on=DAY)

    assert seen.days == []
    for from_on, to_on in ((DAY, date(2026, 11, 23)), (date(2020, 1, 1), DAY)):
        with pytest.raises(BadInput):
            await sending_report(sending.owner, sending.stage.workspace_id, from_on=from_on, to_on=to_on)
