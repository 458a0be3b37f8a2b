"""What happens while a run has mails in hand: pauses, cancels, suppressions, lost workers, two workers at once."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from app.core.caller import Caller
from app.outreach.campaigns import cancel_campaign, pause_campaign, resume_campaign
from app.outreach.mailbox_leases import hold_mailbox
from app.outreach.mailbox_runs import send_due
from app.outreach.mailboxes import (
    MailboxChanges,
    disconnect_mailbox,
    pause_mailbox,
    resume_mailbox,
    update_mailbox,
)
from app.outreach.suppressions import suppress_contact
from db.queries.outreach import ledger
from tests.app.outreach.sending_stage import SendingStage, people


async def test_a_pause_stops_what_is_claimed_and_a_resume_sends_each_of_the_rest_once(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(40), [mailbox])
    sending.after_mail(7, lambda: pause_campaign(sending.stage.owner, campaign.id))

    await sending.work()

    assert len(sending.received()) == 7
    assert await sending.states(campaign) == {"sent": 7, "planned": 33}
    assert await sending.counts(campaign) == {"sent": 7, "queued": 33}

    await resume_campaign(sending.owner, campaign.id)
    await sending.work()

    assert sending.received() == dict.fromkeys(people(40), 1)
    assert await sending.counts(campaign) == {"sent": 40}
    assert await sending.state(campaign) == "completed"


async def test_a_cancel_stops_what_is_claimed_and_what_was_never_planned(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(daily_cap=30)
    campaign = await sending.launched(people(100), [mailbox])
    sending.after_mail(5, lambda: cancel_campaign(sending.stage.owner, campaign.id))

    await sending.work()

    assert len(sending.received()) == 5
    assert await sending.states(campaign) == {"sent": 5, "cancelled": 25}
    assert await sending.counts(campaign) == {"sent": 5, "cancelled": 95}
    assert await sending.work(until=sending.later(days=3)) <= 2
    assert len(sending.received()) == 5


async def test_a_suppression_stops_the_mail_that_is_claimed_for_it(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(20), [mailbox])
    sent_first: list[str] = []

    async def suppress_all_others() -> None:
        sent_first.extend(sending.received())
        for email in set(people(20)) - set(sent_first):
            await suppress_contact(sending.owner, email=email)

    sending.after_mail(3, suppress_all_others)
    await sending.work()

    assert sorted(sending.received()) == sorted(sent_first)
    assert await sending.counts(campaign) == {"sent": 3, "suppressed": 17}
    assert await sending.state(campaign) == "completed"


@pytest.mark.parametrize("how", [pause_mailbox, disconnect_mailbox])
async def test_a_mailbox_that_stops_hands_its_queue_to_the_others(sending: SendingStage, how: object) -> None:
    first, second = await sending.mailbox("a@acme.example"), await sending.mailbox("b@acme.example")
    campaign = await sending.launched(people(60), [first, second])
    await sending.work(only=["campaign.enroll", "campaign.plan"])
    queued = {mailbox.id: await _queue(sending, mailbox.id) for mailbox in (first, second)}
    assert queued == {first.id: 30, second.id: 30}

    await how(sending.owner, first.id)  # type: ignore[operator]
    await sending.work()

    assert sending.received() == dict.fromkeys(people(60), 1)
    senders = {attempt.user for attempt in sending.attempts() if attempt.recipients}
    assert senders == {"b@acme.example"}
    assert await sending.counts(campaign) == {"sent": 60}


async def test_with_no_mailbox_left_nothing_is_lost_and_resuming_goes_on(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(30), [mailbox])
    sending.after_mail(4, lambda: pause_mailbox(sending.stage.owner, mailbox.id))
    await sending.work()
    assert await sending.counts(campaign) == {"sent": 4, "queued": 26}

    await resume_mailbox(sending.owner, mailbox.id)
    await sending.work()

    assert sending.received() == dict.fromkeys(people(30), 1)
    assert await sending.state(campaign) == "completed"


async def test_a_lost_worker_leaves_one_doubt_and_everything_else_is_sent_once(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(20), [mailbox])

    class Killed(BaseException):
        pass

    async def die() -> None:
        raise Killed

    sending.after_mail(6, die)
    with pytest.raises(Killed):
        await sending.work()
    await sending.work(until=sending.later(seconds=31))

    assert len(sending.received()) == 20
    assert set(sending.received().values()) == {1}
    assert await sending.counts(campaign) == {"sent": 19, "in_doubt": 1}
    assert await sending.state(campaign) == "completed"


async def test_a_worker_that_is_gone_without_a_word_is_followed_when_its_lease_ends(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(5), [mailbox])
    await sending.work(only=["campaign.enroll", "campaign.plan"])
    held = await hold_mailbox(sending.stage.worker(), mailbox.id)
    assert held is not None
    async with sending.owner.transaction():
        claimed = await ledger.claim_due(held.turn(sending.clock.now()), 3)
    assert len(claimed) == 3

    await sending.work()
    assert sending.received() == {}

    await sending.work(until=sending.later(seconds=sending.owner.resources.settings.job_lease_seconds))
    assert sending.received() == dict.fromkeys(people(5), 1)
    assert await sending.counts(campaign) == {"sent": 5}


async def test_two_workers_at_once_keep_to_cap_and_send_nothing_twice(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(daily_cap=12)
    campaign = await sending.launched(people(30), [mailbox])
    await sending.work(only=["campaign.enroll", "campaign.plan"])

    workers = [sending.stage.worker() for _ in range(4)]
    await asyncio.gather(*(send_due(worker, mailbox.id) for worker in workers))

    assert sum(sending.received().values()) == 12
    assert set(sending.received().values()) == {1}
    assert await sending.counts(campaign) == {"sent": 12, "waiting": 18}

    await sending.work(until=sending.later(hours=11, minutes=59))
    assert sum(sending.received().values()) == 12
    await sending.work(until=sending.later(days=3))
    assert sending.received() == dict.fromkeys(people(30), 1)
    assert await sending.state(campaign) == "completed"


async def test_the_gap_stands_between_any_two_mails_of_a_mailbox(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(minimum_gap_seconds=90)
    await sending.launched(people(6), [mailbox])

    await sending.work(until=sending.later(hours=1))

    rows = await sending.stage.rows("SELECT submitted_at FROM messages WHERE tenant_id = $1 ORDER BY submitted_at")
    moments = [row["submitted_at"] for row in rows]
    gaps = {later - earlier for earlier, later in pairwise(moments)}
    assert gaps == {timedelta(seconds=90)}
    assert len(sending.received()) == 6


async def test_a_lower_cap_holds_for_the_very_next_mail(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(daily_cap=50)
    campaign = await sending.launched(people(20), [mailbox])

    async def lower() -> None:
        await _set_cap(sending.owner, mailbox.id, 4)

    sending.after_mail(2, lower)
    await sending.work()

    assert len(sending.received()) == 4
    assert (await sending.counts(campaign))["sent"] == 4


async def _queue(sending: SendingStage, mailbox_id: UUID) -> int:
    sql = "SELECT count(*)::int AS n FROM messages WHERE tenant_id = $1 AND mailbox_id = $2 AND state = 'queued'"
    return int((await sending.stage.rows(sql, mailbox_id))[0]["n"])


async def _set_cap(owner: Caller, mailbox_id: UUID, cap: int) -> None:
    await update_mailbox(owner, mailbox_id, MailboxChanges(daily_cap=cap))
