"""The decisions of sending, by time and numbers alone: caps, gaps, rotation, planning, states, rate, tokens."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Problems, WrongState
from app.core.ids import new_id
from app.outreach.rules.campaign_states import CampaignState, CampaignVerb, LaunchFacts, check_launch, check_verb
from app.outreach.rules.mailbox_states import MailboxState
from app.outreach.rules.message_states import Count, MessageState, count_of, enrollment_after
from app.outreach.rules.planning import WeightedVariant, next_plan_at, plan_again_seconds, room_ahead, variant_for
from app.outreach.rules.rotation import MailboxRoom, share_out
from app.outreach.rules.sending_limits import (
    SendingLimits,
    SendingPast,
    keeps_connection,
    next_allowed_at,
    remaining_today,
)
from app.outreach.rules.sending_rate import sent_per_second, window_number
from app.outreach.rules.submitting import MarkingView, Refusal, why_refused
from app.outreach.rules.unsubscribe_tokens import UnsubscribeToken, UnsubscribeTokens

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRESH = SendingPast(None, 0, None)


@pytest.mark.parametrize(
    ("zone", "now", "day", "next_day_at"),
    [
        ("UTC", NOON, date(2026, 11, 24), "2026-11-25T00:00:00+00:00"),
        ("Pacific/Auckland", NOON, date(2026, 11, 25), "2026-11-25T11:00:00+00:00"),
        (
            "America/Los_Angeles",
            datetime(2026, 11, 24, 7, 59, tzinfo=UTC),
            date(2026, 11, 23),
            "2026-11-24T08:00:00+00:00",
        ),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, 30, tzinfo=UTC), date(2026, 3, 29), "2026-03-29T22:00:00+00:00"),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 30, tzinfo=UTC), date(2026, 10, 25), "2026-10-25T23:00:00+00:00"),
    ],
)
def test_the_day_of_a_cap_is_the_tenants_also_where_clocks_change(
    zone: str, now: datetime, day: date, next_day_at: str
) -> None:
    limits = SendingLimits(1, 0, zone)

    assert limits.day_of(now) == day
    assert limits.next_day_at(now) == datetime.fromisoformat(next_day_at)


def test_a_mailbox_waits_for_its_gap_its_back_off_and_its_next_day() -> None:
    limits = SendingLimits(3, 60, "UTC")
    today = NOON.date()

    assert next_allowed_at(limits, FRESH, NOON) == NOON
    assert next_allowed_at(limits, SendingPast(today, 1, NOON + timedelta(seconds=60)), NOON) == NOON + timedelta(
        seconds=60
    )
    assert next_allowed_at(limits, SendingPast(today, 3, None), NOON) == datetime(2026, 11, 25, tzinfo=UTC)
    assert next_allowed_at(limits, SendingPast(today - timedelta(days=1), 3, None), NOON) == NOON
    late = datetime(2026, 11, 26, tzinfo=UTC)
    assert next_allowed_at(limits, SendingPast(today, 3, late), NOON) == late
    assert remaining_today(SendingLimits(2, 0, "UTC"), SendingPast(today, 5, None), NOON) == 0
    assert [keeps_connection(SendingLimits(1, gap, "UTC")) for gap in (0, 1, 2)] == [True, True, False]


boxes = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=8)


@given(boxes, st.integers(0, 200))
def test_shares_use_no_more_than_the_room_and_even_the_queues(numbers: list[tuple[int, int]], count: int) -> None:
    rooms = [MailboxRoom(UUID(int=n), waiting, room) for n, (waiting, room) in enumerate(numbers)]

    shares = share_out(count, rooms)

    assert len(shares) == min(count, sum(room.room for room in rooms))
    taken = Counter(shares)
    assert all(taken[room.mailbox_id] <= room.room for room in rooms)
    open_rooms = [room for room in rooms if taken[room.mailbox_id] < room.room]
    longest = max((room.waiting + taken[room.mailbox_id] for room in rooms if taken[room.mailbox_id]), default=0)
    assert all(room.waiting + taken[room.mailbox_id] >= longest - 1 for room in open_rooms)
    assert share_out(count, rooms) == shares


def test_planning_reaches_a_quarter_of_an_hour_ahead_and_no_further_than_the_cap() -> None:
    assert room_ahead(SendingLimits(100_000, 0, "UTC"), FRESH, waiting=0, now=NOON) == 5_000
    assert room_ahead(SendingLimits(100_000, 10, "UTC"), FRESH, waiting=0, now=NOON) == 90
    assert room_ahead(SendingLimits(100_000, 3_600, "UTC"), FRESH, waiting=0, now=NOON) == 5
    assert room_ahead(SendingLimits(40, 0, "UTC"), FRESH, waiting=0, now=NOON) == 40
    assert room_ahead(SendingLimits(40, 0, "UTC"), SendingPast(NOON.date(), 30, None), waiting=8, now=NOON) == 2
    assert room_ahead(SendingLimits(40, 0, "UTC"), SendingPast(NOON.date(), 30, None), waiting=50, now=NOON) == 0


def test_planning_comes_again_when_there_is_something_to_plan() -> None:
    later = NOON + timedelta(minutes=5)

    assert next_plan_at(NOON, next_due_at=None, room_left=True, room_again_at=later) is None
    assert next_plan_at(NOON, next_due_at=later, room_left=False, room_again_at=NOON) == later
    assert next_plan_at(NOON, next_due_at=NOON, room_left=True, room_again_at=later) == NOON
    assert next_plan_at(NOON, next_due_at=NOON, room_left=False, room_again_at=later) == later
    assert next_plan_at(NOON, next_due_at=NOON, room_left=False, room_again_at=NOON) == NOON + timedelta(seconds=2)
    assert [plan_again_seconds(gaps) for gaps in ([], [0], [60, 90], [86_400])] == [900.0, 2.0, 150.0, 900.0]


def test_a_contact_keeps_its_variant_and_weights_are_kept_on_the_whole() -> None:
    step, version = new_id(), new_id()
    variants = [WeightedVariant(UUID(int=n), version, weight) for n, weight in enumerate((1, 3, 6))]
    contacts = [new_id() for _ in range(5_000)]

    chosen = [variant_for(contact, step, variants).variant_id.int for contact in contacts]

    assert chosen == [variant_for(contact, step, variants).variant_id.int for contact in contacts]
    shares = Counter(chosen)
    assert [round(shares[n] / 500) for n in range(3)] == [1, 3, 6]


COMPLETE = LaunchFacts("1 Ice Road", True, True, 1, 1, 1, 1, 1)


def test_a_launch_with_everything_there_is_allowed() -> None:
    check_launch(COMPLETE)


def test_a_launch_tells_all_reasons_at_once() -> None:
    with pytest.raises(Problems) as refused:
        check_launch(LaunchFacts("  ", True, False, 2, 1, 3, 2, 0))

    assert [part.message.partition(":")[0] for part in refused.value.parts()] == [
        "Give your postal address in the tenant settings",
        "The contact list is empty",
        "A chosen template has been deleted",
        "Every verified mailbox of the campaign is paused",
    ]


@pytest.mark.parametrize("verb", CampaignVerb)
@pytest.mark.parametrize("state", CampaignState)
def test_each_verb_is_possible_from_its_states_only(state: CampaignState, verb: CampaignVerb) -> None:
    allowed = {
        CampaignVerb.EDIT: {"draft"},
        CampaignVerb.LAUNCH: {"draft"},
        CampaignVerb.PAUSE: {"running"},
        CampaignVerb.RESUME: {"paused"},
        CampaignVerb.CANCEL: {"draft", "running", "paused"},
        CampaignVerb.ARCHIVE: {"draft", "completed", "cancelled"},
    }
    if state in allowed[verb]:
        check_verb(state, verb)
    else:
        with pytest.raises(WrongState, match=f"that is {state} cannot be"):
            check_verb(state, verb)


def test_every_state_of_a_message_is_counted_once_and_only_certainty_moves_the_contact_on() -> None:
    assert {state: count_of(state) for state in MessageState} == {
        MessageState.PLANNED: Count.QUEUED,
        MessageState.QUEUED: Count.QUEUED,
        MessageState.CLAIMED: Count.QUEUED,
        MessageState.SUBMITTING: Count.QUEUED,
        MessageState.SENT: Count.SENT,
        MessageState.DEFERRED: Count.DEFERRED,
        MessageState.BOUNCED: Count.BOUNCED,
        MessageState.FAILED: Count.FAILED,
        MessageState.IN_DOUBT: Count.IN_DOUBT,
        MessageState.CANCELLED: Count.CANCELLED,
    }
    assert count_of(MessageState.CANCELLED, suppressed=True) is Count.SUPPRESSED
    assert enrollment_after(MessageState.IN_DOUBT) == "in_progress"
    assert enrollment_after(MessageState.CANCELLED, suppressed=True) == "suppressed"


VIEW = MarkingView(
    message_state=MessageState.CLAIMED,
    message_fence=7,
    campaign_state=CampaignState.RUNNING,
    contact_exists=True,
    is_suppressed=False,
    mailbox_state=MailboxState.VERIFIED,
    paused_at=None,
    smtp_version=2,
    run_fence=7,
)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({}, Refusal.LIMIT),
        ({"run_fence": 8, "is_suppressed": True}, Refusal.LOST),
        ({"message_fence": 6}, Refusal.LOST),
        ({"message_state": MessageState.IN_DOUBT}, Refusal.LOST),
        ({"is_suppressed": True, "campaign_state": CampaignState.PAUSED}, Refusal.SUPPRESSED),
        ({"contact_exists": False}, Refusal.CONTACT_GONE),
        ({"campaign_state": CampaignState.PAUSED, "paused_at": NOON}, Refusal.CAMPAIGN_PAUSED),
        ({"campaign_state": CampaignState.CANCELLED}, Refusal.CAMPAIGN_CANCELLED),
        ({"mailbox_state": MailboxState.FAILED}, Refusal.MAILBOX_STOPPED),
        ({"paused_at": NOON}, Refusal.MAILBOX_STOPPED),
        ({"smtp_version": 3}, Refusal.MAILBOX_STOPPED),
    ],
)
def test_a_refused_mark_has_one_reason(changed: dict[str, Any], refusal: Refusal) -> None:
    view = replace(VIEW, **changed)

    assert why_refused(view, fence=7, smtp_version=2) is refusal


class Lane:
    def __init__(self, number: int, sent: int, before: int) -> None:
        self.number, self.sent, self.before = number, sent, before


def test_the_rate_slides_over_ten_seconds() -> None:
    now = datetime(2026, 11, 24, 12, 0, 4, tzinfo=UTC)
    this = window_number(now)

    assert sent_per_second([], now) == 0
    assert sent_per_second([Lane(this, 40, 100)], now) == pytest.approx(10.0)
    assert sent_per_second([Lane(this - 1, 100, 7), Lane(this, 10, 0)], now) == pytest.approx(7.0)
    assert sent_per_second([Lane(this - 2, 100, 100)], now) == 0


def test_old_links_outlive_a_key_rotation_and_no_key_reads_anothers() -> None:
    token = UnsubscribeToken(new_id(), new_id(), new_id())
    old, new, other = (bytes([n]) * 32 for n in (1, 2, 3))
    made = UnsubscribeTokens({1: old}).make(token)

    assert UnsubscribeTokens({1: old, 2: new}).read(made) == token
    assert UnsubscribeTokens({1: other}).read(made) is None
    assert UnsubscribeTokens({2: old}).read(made) is None


@given(st.text(max_size=120))
def test_no_text_reads_as_a_token(text: str) -> None:
    assert UnsubscribeTokens({1: b"k" * 32}).read(text) is None
