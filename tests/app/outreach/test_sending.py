"""Sending, end to end on real sockets: launch, enrol, plan, and every way in which a mail can end."""

from tests.app.outreach.sending_stage import SendingStage, people


async def test_a_launched_campaign_reaches_every_contact_once_and_completes(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(120), [mailbox])

    await sending.work()

    assert sending.received() == dict.fromkeys(people(120), 1)
    assert await sending.states(campaign) == {"sent": 120}
    assert await sending.counts(campaign) == {"sent": 120}
    assert await sending.state(campaign) == "completed"
    assert (await sending.topics())["message.sent"] == 120


async def test_every_answer_of_a_server_ends_as_it_should(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(
        [
            "fine@lead.example",
            "gone+unknown-user@lead.example",
            "busy+tempfail@lead.example",
            "silent+drop-after-data@lead.example",
        ],
        [mailbox],
    )

    await sending.work()

    assert await sending.outcomes(campaign) == {
        "fine@lead.example": ("sent", "250", None),
        "gone+unknown-user@lead.example": ("bounced", "550 5.1.1", None),
        "busy+tempfail@lead.example": ("deferred", "450 4.2.0", 900),
        "silent+drop-after-data@lead.example": ("in_doubt", None, None),
    }
    assert await sending.counts(campaign) == {"sent": 1, "bounced": 1, "deferred": 1, "in_doubt": 1}
    assert await sending.suppressed() == {"gone+unknown-user@lead.example": "bounced"}
    assert await sending.state(campaign) == "running"
    assert sending.received() == {"fine@lead.example": 1, "silent+drop-after-data@lead.example": 1}
