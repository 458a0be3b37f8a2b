"""How far ahead a campaign is planned, when it is planned again, and which variant a contact gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2s
from uuid import UUID

from app.outreach.rules.sending_limits import SendingLimits, SendingPast, remaining_today

PLAN_BATCH = 1_000
AHEAD_SECONDS = 900
AHEAD_MOST = 5_000
AHEAD_LEAST = 5
SOONEST_SECONDS = 2.0
LATEST_SECONDS = 900.0


def room_ahead(limits: SendingLimits, past: SendingPast, *, waiting: int, now: datetime) -> int:
    """How many more mails to plan for a mailbox: what it can send in the next quarter of an hour and today.

    A mail planned far ahead would be bound to one mailbox for no use, and would have to be taken back when a person
    pauses. At least a few are always planned, so that a mailbox with a long gap never stands idle.
    """
    gap = max(limits.minimum_gap_seconds, AHEAD_SECONDS / AHEAD_MOST)
    ahead = max(AHEAD_LEAST, int(AHEAD_SECONDS / gap))
    return max(0, min(ahead, remaining_today(limits, past, now)) - waiting)


def plan_again_seconds(gaps: Sequence[int]) -> float:
    """How long until the shortest of the queues, just filled, is half empty; `gaps` are the mailboxes' gaps in seconds."""
    shortest = min(gaps, default=int(LATEST_SECONDS))
    return min(LATEST_SECONDS, max(SOONEST_SECONDS, AHEAD_LEAST * shortest / 2))


@dataclass(frozen=True, slots=True)
class WeightedVariant:
    variant_id: UUID
    template_version_id: UUID
    weight: int


def variant_for(contact_id: UUID, step_id: UUID, variants: Sequence[WeightedVariant]) -> WeightedVariant:
    """The contact's variant, by weight, and the same one every time it is asked for. `variants` in a fixed order."""
    digest = blake2s(contact_id.bytes + step_id.bytes, digest_size=8).digest()
    point = int.from_bytes(digest, "big") % sum(variant.weight for variant in variants)
    for variant in variants:
        if point < variant.weight:
            return variant
        point -= variant.weight
    raise AssertionError("the weights add up to the range that the point is drawn from")


def next_plan_at(
    now: datetime, *, next_due_at: datetime | None, room_left: bool, room_again_at: datetime
) -> datetime | None:
    """When to plan again: None when nothing waits, at the next due moment, or when there will be room."""
    if next_due_at is None:
        return None
    if next_due_at > now:
        return next_due_at
    return now if room_left else max(room_again_at, now + timedelta(seconds=SOONEST_SECONDS))
