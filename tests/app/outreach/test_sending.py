"""Sending, end to end on real sockets: launch, enrol, plan, and every way in which a mail can end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.resources import Resources
from tests.app.outreach.sending_stage import SendingStage, sending_stage


@pytest.fixture
async def sending(resources: Resources, tmp_path: Path) -> AsyncIterator[SendingStage]:
    async with sending_stage(resources, tmp_path) as made:
        yield made


def people(count: int) -> list[str]:
    return [f"lead{number}@lead{number % 7}.example" for number in range(count)]


async def test_a_launched_campaign_reaches_every_contact_once_and_completes(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(120), [mailbox])

    await sending.work()

    assert sending.received() == dict.fromkeys(people(120), 1)
    assert await sending.states(campaign) == {"sent": 120}
    assert await sending.counts(campaign) == {"sent": 120}
    assert await sending.state(campaign) == "completed"
    assert (await sending.topics())["message.sent"] == 120
