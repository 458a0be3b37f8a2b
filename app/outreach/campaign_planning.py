"""Planning: which due contact gets which variant from which mailbox, only as far ahead as caps and gaps allow."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from app.core.caller import Caller
from app.core.ids import new_id
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.live.topics import CampaignProgressed
from app.outreach.campaign_completion import complete_locked
from app.outreach.campaigns import Campaign, Variant
from app.outreach.jobs import PlanCampaign, SendDue
from app.outreach.rules.campaign_states import CampaignState
from app.outreach.rules.mailbox_states import MailboxState, may_send
from app.outreach.rules.message_states import Count, EnrollmentState
from app.outreach.rules.planning import (
    PLAN_BATCH,
    WeightedVariant,
    next_plan_at,
    plan_again_seconds,
    room_ahead,
    variant_for,
)
from app.outreach.rules.rotation import MailboxRoom, share_out
from app.outreach.rules.sending_limits import SendingLimits, SendingPast, next_allowed_at, remaining_today
from db.queries.identity import tenants
from db.queries.outreach import campaign_counts, campaign_mailboxes, enrollments, message_queue
from db.queries.outreach import campaigns as query
from db.queries.outreach.campaign_mailboxes import CampaignMailbox
from db.queries.outreach.enrollments import DueEnrollment
from db.queries.outreach.message_queue import MessagePlace, PlannedMessage

_WORK_SECONDS = 20.0


async def plan_campaign(caller: Caller, campaign_id: UUID) -> None:
    """Job: plans in batches, each in a transaction of its own, until mailboxes are full or nobody is due.

    The last batch enqueues the next planning for the moment when there is something to plan. Plans nobody twice: the
    ledger holds one row per campaign, step and contact. Does nothing unless the campaign runs.
    """
    ends_at = time.monotonic() + _WORK_SECONDS
    while await _plan_batch(caller, campaign_id, is_last=time.monotonic() > ends_at):
        pass


@dataclass(frozen=True, slots=True)
class _Senders:
    """The campaign's mailboxes that may send now, with their room and the moment when there will be more."""

    rooms: list[MailboxRoom]
    again_at: datetime

    @property
    def room(self) -> int:
        return sum(each.room for each in self.rooms)

    def after(self, shares: Sequence[UUID]) -> "_Senders":
        """With less room, once these have been shared out."""
        taken = Counter(shares)
        rooms = [
            MailboxRoom(each.mailbox_id, each.waiting + taken[each.mailbox_id], each.room - taken[each.mailbox_id])
            for each in self.rooms
        ]
        return replace(self, rooms=rooms)


async def _plan_batch(caller: Caller, campaign_id: UUID, *, is_last: bool) -> bool:
    """True when another batch may follow at once."""
    async with caller.transaction():
        campaign = await query.lock_campaign(campaign_id)
        if campaign is None or campaign.state != CampaignState.RUNNING:
            return False
        now = caller.now()
        senders = await _senders(campaign_id, now)
        limit = min(PLAN_BATCH, senders.room)
        assigned = await _assign(caller, campaign, senders, limit)
        left = senders.after(assigned)
        planned = await _plan_due(caller, campaign, left, limit - len(assigned)) if limit > len(assigned) else []
        await _wake(caller, campaign, assigned + planned)
        if limit == PLAN_BATCH and len(assigned) + len(planned) == limit and not is_last:
            return True
        await _plan_again(caller, campaign, senders, has_room=limit > len(assigned) + len(planned))
        return False


async def _senders(campaign_id: UUID, now: datetime) -> _Senders:
    settings = await tenants.settings()
    zone = "UTC" if settings is None else settings.time_zone
    boxes = [
        box
        for box in await campaign_mailboxes.campaign_mailboxes(campaign_id)
        if may_send(MailboxState(box.state), box.paused_at)
    ]
    rooms = [
        MailboxRoom(box.mailbox_id, box.waiting, room_ahead(limits, past, waiting=box.waiting, now=now))
        for box, limits, past in ((box, _limits(box, zone), _past(box)) for box in boxes)
    ]
    return _Senders(rooms, _room_again_at(boxes, zone, now))


def _room_again_at(boxes: Sequence[CampaignMailbox], zone: str, now: datetime) -> datetime:
    """Soon, when the queues drain within today's caps; else when the first mailbox has a new day."""
    open_today = [box for box in boxes if remaining_today(_limits(box, zone), _past(box), now) > box.waiting]
    if open_today or not boxes:
        return now + timedelta(seconds=plan_again_seconds([box.minimum_gap_seconds for box in open_today]))
    return min(
        next_allowed_at(_limits(box, zone), SendingPast(_limits(box, zone).day_of(now), box.daily_cap, None), now)
        for box in boxes
    )


async def _assign(caller: Caller, campaign: Campaign, senders: _Senders, limit: int) -> list[UUID]:
    """Gives messages that lost their mailbox a new one; returns the mailboxes."""
    if limit == 0 or not await campaign_counts.unassigned(campaign.id):
        return []
    ids = await message_queue.unassigned_messages(campaign.id, limit)
    shares = share_out(len(ids), senders.rooms)
    await message_queue.assign_messages(list(zip(ids, shares, strict=False)), at=caller.now())
    await _count(campaign.id, shares, away=Count.QUEUED)
    return shares


async def _plan_due(caller: Caller, campaign: Campaign, senders: _Senders, limit: int) -> list[UUID]:
    """Writes the messages of due enrollments; returns their mailboxes."""
    now = caller.now()
    due = await enrollments.due_enrollments(campaign.id, now=now, limit=limit)
    blocked = [each.id for each in due if each.is_suppressed]
    fit = [each for each in due if not each.is_suppressed]
    if blocked:
        await enrollments.move_enrollments(blocked, EnrollmentState.SUPPRESSED)
        change: dict[str, int] = {Count.WAITING: -len(blocked), Count.SUPPRESSED: len(blocked)}
        await campaign_counts.add_counts(campaign.id, {campaign.id: change})
    if not fit:
        return []
    variants = await query.variants([campaign.id])
    shares = share_out(len(fit), senders.rooms)
    fit = fit[: len(shares)]
    messages = [_message(each, mailbox_id, variants) for each, mailbox_id in zip(fit, shares, strict=True)]
    place = MessagePlace(campaign.workspace_id, campaign.id, variants[0].step_id)
    new = set(await message_queue.insert_messages(place, messages, at=now))
    await enrollments.move_enrollments([each.id for each in fit], EnrollmentState.IN_PROGRESS)
    await _count(campaign.id, [each.mailbox_id for each in messages if each.enrollment_id in new], away=Count.WAITING)
    return shares


def _message(due: DueEnrollment, mailbox_id: UUID, variants: Sequence[Variant]) -> PlannedMessage:
    weighted = [
        WeightedVariant(each.id, each.template_version_id, each.weight)
        for each in variants
        if each.template_version_id is not None
    ]
    variant = variant_for(due.contact_id, variants[0].step_id, weighted)
    return PlannedMessage(
        id=new_id(),
        variant_id=variant.variant_id,
        template_version_id=variant.template_version_id,
        enrollment_id=due.id,
        contact_id=due.contact_id,
        mailbox_id=mailbox_id,
        to_address=due.email,
        email_key=due.email_key,
    )


async def _count(campaign_id: UUID, shares: Sequence[UUID], *, away: Count) -> None:
    changes: dict[UUID, dict[str, int]] = {campaign_id: {away: -len(shares)}}
    for mailbox_id in shares:
        lane = changes.setdefault(mailbox_id, {Count.QUEUED: 0})
        lane[Count.QUEUED] += 1
    await campaign_counts.add_counts(campaign_id, changes)


async def _wake(caller: Caller, campaign: Campaign, shares: Sequence[UUID]) -> None:
    if not shares:
        return
    for mailbox_id in sorted(set(shares)):
        await enqueue(caller, SendDue(mailbox_id), dedupe_key=f"send_due:{mailbox_id}")
    version = await query.raise_version(campaign.id)
    event = CampaignProgressed(
        workspace_id=campaign.workspace_id, object_id=campaign.id, version=version, what="planned", count=len(shares)
    )
    await record(caller, event)


async def _plan_again(caller: Caller, campaign: Campaign, senders: _Senders, *, has_room: bool) -> None:
    """At the next due moment, or when there is room; when nobody waits, the campaign may be complete."""
    now = caller.now()
    next_due_at = await enrollments.next_due_at(campaign.id)
    has_unassigned = await campaign_counts.unassigned(campaign.id) > 0
    if next_due_at is None and not has_unassigned:
        await _close_waiting(caller, campaign)
        return
    if not senders.rooms:
        return  # resuming or verifying a mailbox plans its campaigns again
    due_at = now if has_unassigned else next_due_at
    again_at = next_plan_at(now, next_due_at=due_at, room_left=has_room, room_again_at=senders.again_at)
    if again_at is not None:
        key = f"plan_campaign:{campaign.id}"
        await enqueue(caller, PlanCampaign(campaign.id), due_at=again_at, dedupe_key=key)


async def _close_waiting(caller: Caller, campaign: Campaign) -> None:
    """Contacts that were erased before their turn took their enrollments with them: they count as cancelled."""
    if campaign.enrolling:
        return
    gone = await campaign_counts.waiting(campaign.id)
    if gone:
        change: dict[str, int] = {Count.WAITING: -gone, Count.CANCELLED: gone}
        await campaign_counts.add_counts(campaign.id, {campaign.id: change})
    current = await query.campaign_by_id(campaign.id)
    if current is not None:
        await complete_locked(caller, current)


def _limits(box: CampaignMailbox, zone: str) -> SendingLimits:
    return SendingLimits(box.daily_cap, box.minimum_gap_seconds, zone)


def _past(box: CampaignMailbox) -> SendingPast:
    return SendingPast(box.sent_on, box.sent_today, box.next_send_at)
