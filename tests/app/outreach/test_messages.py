"""The ledger as people read it: newest first over every state, page by page."""

from uuid import UUID

from app.outreach.messages import messages
from app.outreach.rules.message_states import MessageState
from tests.app.outreach.sending_stage import SendingStage

MIXED = [
    f"{number}{ending}@lead.example"
    for number in range(2)
    for ending in ("", "+unknown-user", "+drop-after-data", "+tempfail")
]


async def test_the_pages_of_a_campaign_show_every_message_once_newest_first_whatever_its_state(
    sending: SendingStage,
) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(MIXED, [mailbox])
    other = await sending.launched(["newer@lead.example"], [mailbox])
    await sending.work()

    seen, after = list[tuple[UUID, str]](), None
    for _ in range(3):
        page = await messages(sending.owner, campaign.id, state=None, first=3, after=after)
        seen += [(row.id, row.state) for row in page.items]
        after = page.items[-1].id

    assert not page.has_next
    assert [row_id for row_id, _ in seen] == sorted({row_id for row_id, _ in seen}, reverse=True)
    assert sorted(state for _, state in seen) == sorted(["sent", "bounced", "in_doubt", "deferred"] * 2)
    doubts = await messages(sending.owner, campaign.id, state=MessageState.IN_DOUBT, first=3, after=None)
    assert [row.id for row in doubts.items] == [row_id for row_id, state in seen if state == "in_doubt"]
    assert len((await messages(sending.owner, other.id, state=None, first=3, after=None)).items) == 1
