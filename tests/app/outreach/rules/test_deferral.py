"""What a try leads to: waits that grow, reactions that weigh what other receivers said."""

from datetime import UTC, datetime, timedelta

import pytest

from app.outreach.ports import Accepted, ConnectionProblem, InDoubt, NotSubmitted, Refused
from app.outreach.rules.deferral import (
    CALM_AFTER,
    RecentTry,
    Tries,
    connection_delay_seconds,
    is_always_in_doubt,
    is_domain_distrusted,
    settle,
    slowdown_level,
    slowdown_seconds,
)
from app.outreach.rules.message_states import AttemptOutcome, MessageState
from app.outreach.rules.smtp_replies import Phase, SmtpReply

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def tried(*outcomes: str, minutes_ago: float = 1) -> list[RecentTry]:
    return [RecentTry(outcome, NOW - timedelta(minutes=minutes_ago)) for outcome in outcomes]


@pytest.mark.parametrize(
    ("outcome", "state", "wait_seconds"),
    [
        (Accepted(SmtpReply(250, "2.0.0 Ok: queued as 1")), MessageState.SENT, None),
        (Refused(Phase.RCPT, SmtpReply(550, "5.1.1 User unknown")), MessageState.BOUNCED, None),
        (Refused(Phase.RCPT, SmtpReply(450, "4.2.0 Busy")), MessageState.DEFERRED, 60),
        (Refused(Phase.AFTER_DATA, SmtpReply(550, "5.7.26 Unauthenticated")), MessageState.FAILED, None),
        (InDoubt("The connection was lost after the final dot."), MessageState.IN_DOUBT, None),
        (NotSubmitted(Phase.MAIL, ConnectionProblem.LOST, "The connection was lost."), MessageState.QUEUED, 30),
    ],
    ids=["accepted", "unknown user", "busy", "unauthenticated", "doubt", "lost before the dot"],
)
def test_an_outcome_settles_a_message(outcome: object, state: MessageState, wait_seconds: float | None) -> None:
    settled = settle(outcome, Tries(1, NOW, first_wait_seconds=60), now=NOW, jitter=0.0)  # type: ignore[arg-type]

    assert settled.state is state
    assert settled.due_at == (None if wait_seconds is None else NOW + timedelta(seconds=wait_seconds))


def test_waits_double_with_each_try_and_end_after_four_days() -> None:
    busy = Refused(Phase.RCPT, SmtpReply(450, "4.2.0 Busy"))

    waits = [settle(busy, Tries(count, NOW), now=NOW, jitter=0.0).due_at for count in (1, 2, 3)]
    ended = settle(busy, Tries(9, NOW - timedelta(days=4)), now=NOW, jitter=0.0)

    assert waits == [NOW + timedelta(minutes=each) for each in (15, 30, 60)]
    assert (ended.state, ended.due_at) == (MessageState.FAILED, None)


def test_a_provider_that_complains_again_is_spared_for_longer() -> None:
    ended_at = NOW - timedelta(minutes=5)

    assert slowdown_level(0, previous_until=None, recent=[], now=NOW) == 1
    assert slowdown_level(1, previous_until=ended_at, recent=[], now=NOW) == 2
    assert slowdown_level(6, previous_until=ended_at, recent=[], now=NOW) == 6
    assert slowdown_level(3, previous_until=NOW - timedelta(hours=2), recent=[], now=NOW) == 1
    assert [slowdown_seconds(level) for level in (1, 2, 3)] == [300, 600, 1200]
    assert slowdown_seconds(3, first_seconds=5) == 20


def test_ten_mails_taken_since_a_slow_down_are_evidence_that_it_is_over() -> None:
    ended_at = NOW - timedelta(minutes=5)
    taken, before = tried(*["sent"] * CALM_AFTER), tried(*["sent"] * CALM_AFTER, minutes_ago=6)

    assert slowdown_level(3, previous_until=ended_at, recent=taken, now=NOW) == 1
    assert slowdown_level(3, previous_until=ended_at, recent=taken[1:], now=NOW) == 4
    assert slowdown_level(3, previous_until=ended_at, recent=before, now=NOW) == 4


@pytest.mark.parametrize(
    ("outcomes", "is_distrusted"),
    [
        (["failed"], True),
        (["failed", "sent"], True),
        (["failed", "sent", "sent"], False),
        (["failed"] * 10 + ["sent"] * 10, True),
        (["failed"] + ["sent"] * 19, False),
    ],
)
def test_a_domain_is_distrusted_when_half_of_its_last_tries_failed(outcomes: list[str], is_distrusted: bool) -> None:
    assert is_domain_distrusted(tried(*outcomes)) is is_distrusted


def test_a_server_always_leaves_doubts_when_none_of_its_last_twenty_tries_was_answered() -> None:
    assert is_always_in_doubt(tried(*["in_doubt"] * 20))
    assert not is_always_in_doubt(tried(*["in_doubt"] * 19))
    assert not is_always_in_doubt(tried(*["in_doubt"] * 19, "bounced"))


def test_connections_are_tried_again_after_half_a_minute_up_to_an_hour() -> None:
    assert [connection_delay_seconds(failures, jitter=0.0) for failures in (1, 2, 3, 20)] == [30, 60, 120, 3600]


def test_only_what_the_server_kept_uses_a_slot_of_the_day() -> None:
    kept = settle(Accepted(SmtpReply(250, "Ok")), Tries(1, NOW), now=NOW, jitter=0.0)
    busy = settle(Refused(Phase.RCPT, SmtpReply(450, "Busy")), Tries(1, NOW), now=NOW, jitter=0.0)

    assert (kept.used_slot, busy.used_slot, busy.outcome) == (True, False, AttemptOutcome.DEFERRED)
