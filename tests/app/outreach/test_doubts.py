"""Messages in doubt: never sent again by themselves, resolved by a person, each step in the message's story."""

import pytest

from app.core.errors import WrongState
from app.outreach.campaigns import Campaign, cancel_campaign
from app.outreach.messages import Message, attempts_by_messages, messages, resolve_in_doubt_message
from app.outreach.rules.message_states import InDoubtOutcome, MessageState
from tests.app.outreach.sending_stage import SendingStage


async def doubtful(sending: SendingStage) -> tuple[Campaign, Message]:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(["x+drop-after-data@lead.example"], [mailbox])
    await sending.work(until=sending.later(days=5))
    page = await messages(sending.owner, campaign.id, state=MessageState.IN_DOUBT, first=5, after=None)
    assert len(page.items) == 1
    return campaign, page.items[0]


async def test_a_doubt_is_resolved_as_sent(sending: SendingStage) -> None:
    campaign, message = await doubtful(sending)

    resolved = await resolve_in_doubt_message(sending.owner, message.id, InDoubtOutcome.SENT, note="It is in Sent.")

    assert (resolved.state, resolved.reason) == ("sent", "A person found that it was sent. It is in Sent.")
    assert await sending.counts(campaign) == {"sent": 1}
    story = (await attempts_by_messages(sending.owner, [message.id]))[0]
    assert [each.outcome for each in story] == ["in_doubt", "resolved_sent"]
    with pytest.raises(WrongState):
        await resolve_in_doubt_message(sending.owner, message.id, InDoubtOutcome.NOT_SENT)


async def test_a_doubt_that_was_not_sent_stays_unsent_unless_a_person_wants_it_again(sending: SendingStage) -> None:
    campaign, message = await doubtful(sending)

    resolved = await resolve_in_doubt_message(sending.owner, message.id, InDoubtOutcome.NOT_SENT)
    await sending.work(until=sending.later(days=1))

    assert resolved.state == "failed"
    assert await sending.counts(campaign) == {"failed": 1}
    assert len(sending.attempts()) == 1


async def test_a_doubt_that_was_not_sent_may_be_sent_again(sending: SendingStage) -> None:
    campaign, message = await doubtful(sending)
    await sending.execute(
        "UPDATE messages SET to_address = 'x@lead.example' WHERE tenant_id = $1 AND id = $2", message.id
    )

    resolved = await resolve_in_doubt_message(
        sending.owner, message.id, InDoubtOutcome.NOT_SENT, send_again=True, note="Not in the server's log."
    )
    assert (resolved.state, await sending.state(campaign)) == ("queued", "running")
    await sending.work()

    assert await sending.counts(campaign) == {"sent": 1}
    assert await sending.state(campaign) == "completed"
    story = (await attempts_by_messages(sending.owner, [message.id]))[0]
    assert [each.outcome for each in story] == ["in_doubt", "resolved_not_sent", "sent"]


async def test_what_was_sent_or_cancelled_is_not_sent_again(sending: SendingStage) -> None:
    campaign, message = await doubtful(sending)

    with pytest.raises(WrongState):
        await resolve_in_doubt_message(sending.owner, message.id, InDoubtOutcome.SENT, send_again=True)
    await sending.execute("UPDATE campaigns SET state = 'running' WHERE tenant_id = $1")
    await cancel_campaign(sending.owner, campaign.id)
    with pytest.raises(WrongState):
        await resolve_in_doubt_message(sending.owner, message.id, InDoubtOutcome.NOT_SENT, send_again=True)

    assert await sending.counts(campaign) == {"in_doubt": 1}
    assert len(sending.attempts()) == 1
