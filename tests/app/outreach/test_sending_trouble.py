"""Servers that refuse, stall, drop and complain: what becomes of the mail, the mailbox and its domain."""

import pytest

from app.outreach.mailboxes import Mailbox, mailbox_by_id, resume_mailbox
from app.outreach.ports import ConnectionProblem, SmtpSecurity
from app.outreach.rules.mailbox_states import MailboxState
from tests.app.outreach.sending_stage import SendingStage, people


@pytest.mark.parametrize(
    ("username", "problem", "words"),
    [
        ("alice+refuse-auth@acme.example", ConnectionProblem.AUTH_REFUSED, "535"),
        ("alice+refuse-sender@acme.example", ConnectionProblem.SENDER_REFUSED, "55"),
    ],
)
async def test_a_refused_mailbox_says_why_in_the_servers_words(
    sending: SendingStage, username: str, problem: ConnectionProblem, words: str
) -> None:
    mailbox = await sending.mailbox(username=username)

    tested = await mailbox_by_id(sending.owner, mailbox.id)

    assert (tested.state, tested.verdict_problem) == (MailboxState.FAILED, problem)
    assert words in (tested.verdict_sentence or "")


async def test_a_server_with_another_hosts_certificate_is_refused(sending: SendingStage) -> None:
    port = sending.sandbox.ports.wrong_certificate
    mailbox = await sending.mailbox(port=port, security=SmtpSecurity.IMPLICIT_TLS)

    tested = await mailbox_by_id(sending.owner, mailbox.id)

    assert (tested.state, tested.verdict_problem) == (MailboxState.FAILED, ConnectionProblem.CERTIFICATE)


async def test_implicit_tls_sends_as_well(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(port=sending.sandbox.ports.smtps, security=SmtpSecurity.IMPLICIT_TLS)
    campaign = await sending.launched(people(3), [mailbox])

    await sending.work()

    assert await sending.counts(campaign) == {"sent": 3}


async def test_a_drop_before_the_final_dot_puts_back_and_sends_once(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(username="alice+drop-before-dot@acme.example")
    campaign = await sending.launched(people(1), [mailbox])

    await sending.work()

    assert await sending.states(campaign) == {"queued": 1}
    assert await sending.counts(campaign) == {"queued": 1}
    assert sending.received() == {}
    story = await sending.story(campaign)
    assert [(each["outcome"], each["reply"]) for each in story] == [("put_back", None)]
    assert (await mailbox_by_id(sending.owner, mailbox.id)).sent_today == 0


async def test_a_drop_after_the_final_dot_is_in_doubt_and_never_sent_again(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(username="alice+drop-after-dot@acme.example")
    campaign = await sending.launched(people(3), [mailbox])

    await sending.work(until=sending.later(days=5))

    assert await sending.counts(campaign) == {"in_doubt": 3}
    assert await sending.state(campaign) == "completed"
    assert sending.received() == dict.fromkeys(people(3), 1)


async def test_a_server_that_loses_every_answer_does_not_put_a_whole_list_in_doubt(sending: SendingStage) -> None:
    mailbox = await sending.mailbox(username="alice+drop-after-dot@acme.example")
    campaign = await sending.launched(people(25), [mailbox])

    await sending.work(until=sending.later(days=1))

    assert await sending.states(campaign) == {"in_doubt": 20, "planned": 5}
    assert await sending.counts(campaign) == {"in_doubt": 20, "queued": 5}
    assert await sending.state(campaign) == "running"
    paused = await mailbox_by_id(sending.owner, mailbox.id)
    assert paused.paused_at is not None
    assert (paused.pause_reason or "").startswith("The last 20 mails ended in doubt")


async def test_a_stalling_server_loses_nothing(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(2), [mailbox])
    await sending.work(only=["campaign.enroll", "campaign.plan"])
    await _use(sending, mailbox, "alice+stall@acme.example")

    await sending.work()

    assert await sending.states(campaign) == {"queued": 2}
    waits = (await mailbox_by_id(sending.owner, mailbox.id)).next_send_at
    assert waits is not None
    assert 30 <= (waits - sending.clock.now()).total_seconds() <= 36


async def test_a_password_that_is_refused_later_fails_the_mailbox_and_frees_its_queue(sending: SendingStage) -> None:
    mailbox, other = await sending.mailbox("a@acme.example"), await sending.mailbox("b@acme.example")
    campaign = await sending.launched(people(10), [mailbox, other])
    await sending.work(only=["campaign.enroll", "campaign.plan"])
    await _use(sending, mailbox, "a+refuse-auth@acme.example")

    await sending.work()

    failed = await mailbox_by_id(sending.owner, mailbox.id)
    assert (failed.state, failed.verdict_problem) == (MailboxState.FAILED, ConnectionProblem.AUTH_REFUSED)
    assert sending.received() == dict.fromkeys(people(10), 1)
    assert await sending.counts(campaign) == {"sent": 10}


async def test_an_authentication_refusal_pauses_every_mailbox_of_the_domain(sending: SendingStage) -> None:
    first = await sending.mailbox("a@acme.example")
    second = await sending.mailbox("b@acme.example")
    elsewhere = await sending.mailbox("c@other.example")
    campaign = await sending.launched(["x+auth-fail@lead.example"], [first, second])

    await sending.work()

    boxes = [await mailbox_by_id(sending.owner, each.id) for each in (first, second, elsewhere)]
    assert [box.paused_at is not None for box in boxes] == [True, True, False]
    assert "550 5.7.26" in (boxes[0].pause_reason or "")
    assert await sending.outcomes(campaign) == {"x+auth-fail@lead.example": ("failed", "550 5.7.26", None)}
    assert await sending.suppressed() == {}


async def test_one_receiver_that_distrusts_what_the_others_take_costs_its_own_mail_only(sending: SendingStage) -> None:
    mailbox = await sending.mailbox("a@acme.example")
    await sending.launched(people(5), [mailbox])
    await sending.work()

    campaign = await sending.launched(["x+auth-fail@lead.example"], [mailbox])
    await sending.work()

    assert (await mailbox_by_id(sending.owner, mailbox.id)).paused_at is None
    assert await sending.outcomes(campaign) == {"x+auth-fail@lead.example": ("failed", "550 5.7.26", None)}


async def test_a_throttling_provider_is_left_alone_while_others_are_written_to(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    slow = ["x+throttle@slow.example", "y@slow.example", "z@slow.example"]
    campaign = await sending.launched([*slow, *people(5)], [mailbox])

    await sending.work()
    at_once = sending.received()
    await sending.work(until=sending.later(minutes=6))

    assert {each for each in at_once if each.endswith("@slow.example")} <= {"y@slow.example", "z@slow.example"}
    assert set(people(5)) <= set(at_once)
    states = await sending.outcomes(campaign)
    assert states["x+throttle@slow.example"][:2] == ("deferred", "421 4.7.28")
    assert (states["y@slow.example"][0], states["z@slow.example"][0]) == ("sent", "sent")
    rows = await sending.stage.rows(
        "SELECT recipient_domain, level, reply FROM provider_slowdowns WHERE tenant_id = $1"
    )
    assert [(row["recipient_domain"], row["level"]) for row in rows] == [("slow.example", 1)]
    assert "421 4.7.28" in rows[0]["reply"]


async def test_a_greylisted_mail_is_taken_at_the_second_try(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(["x+greylist@lead.example"], [mailbox])
    await sending.work()
    assert await sending.counts(campaign) == {"deferred": 1}
    assert await sending.state(campaign) == "running"

    await sending.wait_for_greylist()
    await sending.work(until=sending.later(minutes=20))

    assert await sending.counts(campaign) == {"sent": 1}
    assert await sending.state(campaign) == "completed"
    assert [each["outcome"] for each in await sending.story(campaign)] == ["deferred", "sent"]


async def test_what_is_deferred_for_ever_is_given_up_after_four_days(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(["x+tempfail@lead.example"], [mailbox])

    await sending.work(until=sending.later(days=6))

    assert await sending.counts(campaign) == {"failed": 1}
    assert await sending.suppressed() == {}
    story = await sending.story(campaign)
    assert story[-1]["outcome"] == "failed"
    assert story[-1]["reason"].startswith(f"Given up after {len(story)} tries")
    assert 4 <= (story[-1]["at"] - story[0]["at"]).total_seconds() / 86_400 < 4.6


async def test_a_paused_mailbox_stays_verified_and_resumes(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    await sending.launched(["x+auth-fail@lead.example"], [mailbox])
    await sending.work()

    resumed = await resume_mailbox(sending.owner, mailbox.id)

    assert (resumed.state, resumed.paused_at, resumed.pause_reason) == (MailboxState.VERIFIED, None, None)


async def _use(sending: SendingStage, mailbox: Mailbox, username: str) -> None:
    """As if the server had changed its mind about the sign-in that was verified."""
    await sending.execute(
        "UPDATE mailboxes SET smtp_username = $3 WHERE tenant_id = $1 AND id = $2", mailbox.id, username
    )
