"""One mailbox's run: claims what is due and sends it, mail by mail, at most once each (DESIGN.md 5).

Per mail one transaction records the mail before and marks the next `submitting`, after checking again that it may be
sent; between the transactions, and in none of them, the mail goes over the wire.
"""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import DomainError
from app.jobs.outbox import enqueue
from app.outreach.campaign_completion import complete_finished_campaigns
from app.outreach.jobs import ROLL_UP_DEDUPE, ROLL_UP_SECONDS, RollUpSending, SendDue
from app.outreach.ledger_hands import LedgerHand, Submitted
from app.outreach.mail_making import MadeMail, MailMaker, mail_maker
from app.outreach.mailbox_connections import MailboxConnection
from app.outreach.mailbox_leases import HeldMailbox, hold_mailbox, kept_alive
from app.outreach.mailbox_servers import note_unusable, put_off, smtp_server
from app.outreach.ports import MailSession, MailSubmitter, NotSubmitted, ServerUnusable
from app.outreach.rules.deferral import Tries, settle
from app.outreach.rules.mailbox_states import MailboxState, may_send
from app.outreach.rules.message_states import MessageState
from app.outreach.rules.sending_limits import (
    WITHIN_RUN_SECONDS,
    SendingLimits,
    SendingPast,
    keeps_connection,
    next_allowed_at,
)
from app.outreach.rules.smtp_replies import Reaction
from app.outreach.rules.submitting import Refusal
from app.outreach.sending_reactions import pause_if_always_in_doubt, react
from db.queries.outreach import ledger, mailboxes
from db.queries.outreach import mailbox_runs as query
from db.queries.outreach.ledger import ClaimedMessage

WORK_SECONDS = 45.0
_REST_SECONDS = 30.0
_ENDS_THE_RUN = frozenset({Refusal.LOST, Refusal.MAILBOX_STOPPED, Refusal.LIMIT})


async def send_due(caller: Caller, mailbox_id: UUID) -> None:
    """Job: sends what is due through the mailbox for up to 45 seconds, and enqueues the next run when more waits.

    Does nothing while another run holds the mailbox. Safe to repeat at any moment.
    """
    held = await hold_mailbox(caller, mailbox_id)
    if held is None:
        return
    try:
        async with kept_alive(caller, held):
            await _work(caller, held)
    except BaseException:
        await _end(caller, held, rest_seconds=_REST_SECONDS)
        raise
    await _end(caller, held, rest_seconds=0)
    await complete_finished_campaigns(caller, mailbox_id)


async def _work(caller: Caller, held: HeldMailbox) -> None:
    start = held.start
    if start.smtp_secret is None or not may_send(MailboxState(start.state), start.paused_at):
        return
    server = smtp_server(caller, held.mailbox_id, start, start.smtp_secret)
    connection = MailboxConnection(caller.resources.port(MailSubmitter), server)
    past = SendingPast(start.sent_on, start.sent_today, start.next_send_at)
    maker = await mail_maker(caller, start)
    await _Run(caller, held, maker, connection, LedgerHand(caller, held, past)).work()


async def _end(caller: Caller, held: HeldMailbox, *, rest_seconds: float) -> None:
    """Gives everything back; the row's lock makes sure that what was queued meanwhile is seen here or by the next run.

    The next run begins when the next mail may leave, and not before `rest_seconds`, which follow a run that broke off.
    """
    async with caller.transaction():
        now = caller.now()
        if not await query.end_run(held.mailbox_id, held.start.fence):
            return
        await ledger.put_back_claimed(held.turn(now), due_at=now)
        counted_at = now + timedelta(seconds=ROLL_UP_SECONDS)
        await enqueue(caller, RollUpSending(), due_at=counted_at, dedupe_key=ROLL_UP_DEDUPE)
        due_at = await query.next_due_at(held.mailbox_id)
        mailbox = await mailboxes.mailbox_by_id(held.mailbox_id)
        if due_at is None or mailbox is None or not may_send(MailboxState(mailbox.state), mailbox.paused_at):
            return
        limits = SendingLimits(mailbox.daily_cap, mailbox.minimum_gap_seconds, held.limits.time_zone)
        past = SendingPast(mailbox.sent_on, mailbox.sent_today, mailbox.next_send_at)
        next_at = next_allowed_at(limits, past, max(now + timedelta(seconds=rest_seconds), due_at))
        await enqueue(caller, SendDue(held.mailbox_id), due_at=next_at, dedupe_key=f"send_due:{held.mailbox_id}")


@dataclass(slots=True)
class _Run:
    """The work between taking a mailbox and giving it back."""

    caller: Caller
    held: HeldMailbox
    maker: MailMaker
    connection: MailboxConnection
    hand: LedgerHand
    slowed: dict[str, datetime] = field(default_factory=dict)
    is_over: bool = False

    async def work(self) -> None:
        ends_at = time.monotonic() + WORK_SECONDS
        async with self._closing():
            while not self.is_over and time.monotonic() < ends_at and self._seconds_to_next() <= WITHIN_RUN_SECONDS:
                claimed = await self.hand.claim()
                for message in claimed:
                    if not self.is_over and time.monotonic() < ends_at:
                        await self._send(message)
                await self.hand.record()
                if not claimed:
                    break

    @asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        """Whatever happens, what is known about the last mail is written down before the connection is given up."""
        try:
            yield
        finally:
            try:
                await self.hand.record()
            finally:
                await self.connection.close()

    async def _send(self, message: ClaimedMessage) -> None:
        """One claimed message: sent, put back, or settled without a try."""
        now = self.caller.now()
        if self.slowed.get(message.recipient_domain, now) > now:
            await self.hand.put_back(message, self.slowed[message.recipient_domain])
        elif message.email is None:
            await self.hand.cancel(message, Refusal.CONTACT_GONE)
        elif (session := await self._session()) is not None:
            mail = await self._make(message)
            if mail is not None:
                await self._submit(message, mail, session)

    async def _session(self) -> MailSession | None:
        """A session that is open before anything is marked; None when the server cannot be used."""
        if not self.connection.is_ready:
            await self.hand.record()
        try:
            return await self.connection.session()
        except ServerUnusable as error:
            await note_unusable(self.caller, self.held, error)
            self.is_over = True
            return None

    async def _make(self, message: ClaimedMessage) -> MadeMail | None:
        seconds = self._seconds_to_next()
        if seconds > WITHIN_RUN_SECONDS:
            self.is_over = True
            return None
        if seconds > 0:
            await self.caller.resources.clock.sleep(seconds)
        try:
            await self.maker.prepare(message)
            return self.maker.make(message, self.caller.now())
        except DomainError as error:
            await self.hand.fail(message, error.message)
            return None

    async def _submit(self, message: ClaimedMessage, mail: MadeMail, session: MailSession) -> None:
        tries = await self.hand.mark(message, mail)
        if tries is None:
            await self._refused(message)
            return
        outcome = await session.submit(return_path=mail.return_path, recipient=message.to_address, raw=mail.raw)
        now = self.caller.now()
        first_at = message.first_tried_at or now
        jitter = random.random()  # noqa: S311  # spreads retries, guards nothing
        so_far = Tries(tries, first_at, self.caller.resources.settings.retry_first_seconds)
        settlement = settle(outcome, so_far, now=now, jitter=jitter)
        self.hand.submitted = Submitted(message, settlement, now)
        if settlement.state is not MessageState.SENT or not keeps_connection(self.held.limits):
            await self.hand.record()
        if isinstance(outcome, NotSubmitted):
            await put_off(self.caller, self.held, outcome.reason)
            self.is_over = True
        elif settlement.state is MessageState.IN_DOUBT:
            self.is_over = await pause_if_always_in_doubt(self.caller, self.held)
        elif settlement.reaction is not Reaction.NONE:
            until = await react(self.caller, self.held, message, settlement)
            if until is None:
                self.is_over = True
            else:
                self.slowed[message.recipient_domain] = until

    async def _refused(self, message: ClaimedMessage) -> None:
        refusal = await self.hand.refusal(message)
        if refusal in _ENDS_THE_RUN:
            self.is_over = True
        elif refusal is Refusal.CAMPAIGN_PAUSED:
            await self.hand.hold(message)
        else:
            await self.hand.cancel(message, refusal)

    def _seconds_to_next(self) -> float:
        now = self.caller.now()
        return (next_allowed_at(self.held.limits, self.hand.past, now) - now).total_seconds()
