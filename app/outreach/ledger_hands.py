"""The hand of a run on the ledger: what it has claimed, the mail it has submitted and not yet recorded, its day's slots."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from app.core.caller import Caller
from app.outreach.cancelling import add_all
from app.outreach.mail_making import MadeMail
from app.outreach.mailbox_leases import HeldMailbox, lease_until
from app.outreach.recorded_outcomes import (
    cancelled_before_submitting,
    failed_before_submitting,
    recording_of,
    unmarked,
)
from app.outreach.rules.campaign_states import CampaignState
from app.outreach.rules.deferral import Settlement
from app.outreach.rules.mailbox_states import MailboxState
from app.outreach.rules.message_states import Count, MessageState
from app.outreach.rules.sending_limits import SendingPast, keeps_connection, remaining_today
from app.outreach.rules.submitting import MarkingView, Refusal, why_refused
from app.outreach.sending_reactions import suppress_bounced
from db.queries.outreach import ledger
from db.queries.outreach import mailbox_runs as runs
from db.queries.outreach.ledger import ClaimedMessage, Marking, Recording

CLAIM_BATCH = 50
_RECORD_TRIES = 8
_LONGEST_PAUSE_SECONDS = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A mail that went over the wire; its outcome is known, and not yet written down."""

    message: ClaimedMessage
    settlement: Settlement
    at: datetime


@dataclass(slots=True)
class LedgerHand:
    """Of one run. Every method opens its own transactions."""

    caller: Caller
    held: HeldMailbox
    past: SendingPast
    submitted: Submitted | None = None

    async def claim(self) -> list[ClaimedMessage]:
        """What is due, as much as the day's cap and the gap allow at once."""
        now = self.caller.now()
        most = CLAIM_BATCH if keeps_connection(self.held.limits) else 1
        limit = min(most, remaining_today(self.held.limits, self.past, now))
        if limit == 0:
            return []
        async with self.caller.transaction():
            claimed = await ledger.claim_due(self.held.turn(now), limit)
            for message in claimed:
                if message.was == MessageState.DEFERRED:
                    change: dict[str, int] = {Count.DEFERRED: -1, Count.QUEUED: 1}
                    await add_all({message.campaign_id: {self.held.mailbox_id: change}})
        return claimed

    async def mark(self, message: ClaimedMessage, mail: MadeMail) -> int | None:
        """Records the mail before and marks this one, in one transaction. The number of this try, or None: not to be sent.

        The mail before must have used its slot of the day; others are recorded at once, by record().
        When PostgreSQL is lost in between, the mail before is recorded as soon as it is back, and this one, which was
        certainly not sent, is put back. Raises what PostgreSQL raised.
        """
        now = self.caller.now()
        marking = self._marking(message, mail, now)
        try:
            async with self.caller.transaction():
                marked = await ledger.record_and_mark(self.held.turn(now), self._recording(), marking)
                await self._suppress_if_bounced()
        except ledger.PASSING_ERRORS:
            await self.record()
            await self._write(unmarked(message, self.held.mailbox_id, self.caller.now()))
            raise
        self._recorded()
        if marked.tries is not None:
            today = marking.today
            sent = self.past.sent_today if self.past.sent_on == today else 0
            next_at = now + timedelta(seconds=self.held.limits.minimum_gap_seconds)
            self.past = SendingPast(today, sent + 1, next_at)
        return marked.tries

    async def record(self) -> None:
        """Writes the outcome of the submitted mail, and tries again for half a minute while PostgreSQL is away."""
        if self.submitted is None:
            return
        for attempt in range(1, _RECORD_TRIES + 1):
            try:
                async with self.caller.transaction():
                    await ledger.record_and_mark(self.held.turn(self.caller.now()), self._recording(), None)
                    await self._suppress_if_bounced()
                    await self._give_slot_back()
                break
            except ledger.PASSING_ERRORS as error:
                if attempt == _RECORD_TRIES:
                    raise
                _log.warning("outcome_not_recorded", message_id=str(self.submitted.message.id), error=str(error))
                await asyncio.sleep(min(0.2 * 2**attempt, _LONGEST_PAUSE_SECONDS))
        self._recorded()

    async def fail(self, message: ClaimedMessage, reason: str) -> None:
        """No mail could be made for it."""
        await self._write(failed_before_submitting(message, self.held.mailbox_id, reason, self.caller.now()))

    async def cancel(self, message: ClaimedMessage, refusal: Refusal) -> None:
        await self._write(cancelled_before_submitting(message, self.held.mailbox_id, refusal, self.caller.now()))

    async def put_back(self, message: ClaimedMessage, due_at: datetime) -> None:
        async with self.caller.transaction():
            await ledger.put_back_one(self.held.turn(self.caller.now()), message.id, due_at=due_at)

    async def hold(self, message: ClaimedMessage) -> None:
        """Its campaign pauses: it waits without a mailbox."""
        now = self.caller.now()
        async with self.caller.transaction():
            if await ledger.hold_one(self.held.turn(now), message.id, due_at=now):
                away, here = self.held.mailbox_id, message.campaign_id
                await add_all({message.campaign_id: {away: {Count.QUEUED: -1}, here: {Count.QUEUED: 1}}})

    async def refusal(self, message: ClaimedMessage) -> Refusal:
        """Why mark() answered None."""
        async with self.caller.transaction(read_only=True):
            facts = await ledger.marking_facts(message.id, self.held.mailbox_id)
        if facts is None:
            return Refusal.LOST
        view = MarkingView(
            message_state=MessageState(facts.message_state),
            message_fence=facts.message_fence,
            campaign_state=CampaignState(facts.campaign_state),
            contact_exists=facts.contact_exists,
            is_suppressed=facts.is_suppressed,
            mailbox_state=MailboxState(facts.mailbox_state),
            paused_at=facts.paused_at,
            smtp_version=facts.smtp_version,
            run_fence=facts.run_fence,
        )
        return why_refused(view, fence=self.held.start.fence, smtp_version=self.held.start.smtp_version)

    async def _write(self, recording: Recording) -> None:
        async with self.caller.transaction():
            await ledger.record_and_mark(self.held.turn(self.caller.now()), recording, None)

    def _marking(self, message: ClaimedMessage, mail: MadeMail, now: datetime) -> Marking:
        today = self.held.limits.day_of(now)
        return Marking(
            message_id=message.id,
            message_id_header=mail.values.message_id,
            content_sha256=mail.finished.content_sha256,
            merge_values=mail.values.to_json(),
            smtp_version=self.held.start.smtp_version,
            today=today,
            lease_until=lease_until(self.caller),
            campaign_id=message.campaign_id,
            contact_id=message.contact_id,
            email_key=message.email_key,
        )

    def _recording(self) -> Recording | None:
        if self.submitted is None:
            return None
        message, settlement, at = self.submitted.message, self.submitted.settlement, self.submitted.at
        return recording_of(message, self.held.mailbox_id, settlement, at)

    async def _suppress_if_bounced(self) -> None:
        if self.submitted is not None and self.submitted.settlement.suppress:
            await suppress_bounced(self.caller, self.submitted.message, self.submitted.settlement)

    async def _give_slot_back(self) -> None:
        assert self.submitted is not None
        if not self.submitted.settlement.used_slot:
            day = self.held.limits.day_of(self.submitted.at)
            await runs.give_slot_back(self.held.mailbox_id, self.held.start.fence, day)

    def _recorded(self) -> None:
        if self.submitted is not None and not self.submitted.settlement.used_slot:
            self.past = replace(self.past, sent_today=max(0, self.past.sent_today - 1))
        self.submitted = None
