"""Holding a mailbox: one run at a time, kept alive while it works, and taken over when its worker was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from app.core.caller import Caller
from app.jobs.outbox import enqueue
from app.outreach.jobs import SendDue
from app.outreach.recorded_outcomes import in_doubt_of
from app.outreach.rules.sending_limits import SendingLimits
from db.queries.outreach import ledger
from db.queries.outreach import mailbox_runs as query
from db.queries.outreach.ledger import Turn
from db.queries.outreach.mailbox_runs import RunStart

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HeldMailbox:
    """A mailbox whose run is ours, under `start.fence`."""

    mailbox_id: UUID
    start: RunStart
    limits: SendingLimits

    def turn(self, now: datetime) -> Turn:
        return Turn(self.mailbox_id, self.start.fence, now)


def lease_until(caller: Caller) -> datetime:
    """The end of a lease that begins now: as long as a job's."""
    return caller.resources.clock.after(caller.resources.settings.job_lease_seconds)


async def hold_mailbox(caller: Caller, mailbox_id: UUID) -> HeldMailbox | None:
    """Takes the run of a mailbox, and puts what a lost worker left in order; None while another run holds it.

    What a lost worker had marked is in doubt, at most one mail; what it had claimed goes back to the queue. When the run
    is held, a job at the end of its lease sees to it that a holder that dies is followed.
    """
    now = caller.now()
    async with caller.transaction():
        start = await query.take_run(mailbox_id, now=now, lease_until=lease_until(caller))
        if start is None:
            await _follow_later(caller, mailbox_id, now)
            return None
        for left in await query.left_submitting(mailbox_id, start.fence):
            turn = Turn(mailbox_id, left.fence, now)
            await ledger.record_and_mark(turn, in_doubt_of(left, mailbox_id, now), None)
            _log.warning("message_in_doubt", message_id=str(left.id), mailbox_id=str(mailbox_id))
        await query.put_back_left(mailbox_id, start.fence, due_at=now)
    limits = SendingLimits(start.daily_cap, start.minimum_gap_seconds, start.time_zone)
    return HeldMailbox(mailbox_id, start, limits)


async def _follow_later(caller: Caller, mailbox_id: UUID, now: datetime) -> None:
    until = await query.lease_until(mailbox_id)
    if until is not None and until > now:
        await enqueue(caller, SendDue(mailbox_id), due_at=until, dedupe_key=f"send_due:{mailbox_id}")


@asynccontextmanager
async def kept_alive(caller: Caller, held: HeldMailbox) -> AsyncIterator[None]:
    """Prolongs the lease while the block runs, so that a slow server is no lost worker."""
    keeper = asyncio.create_task(_keep(caller, held))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _keep(caller: Caller, held: HeldMailbox) -> None:
    while True:
        await asyncio.sleep(caller.resources.settings.job_lease_seconds / 4)
        try:
            async with caller.transaction():
                until = lease_until(caller)
                if not await query.keep_run(held.mailbox_id, held.start.fence, lease_until=until):
                    return
        except ledger.PASSING_ERRORS as error:
            _log.warning("lease_not_kept", mailbox_id=str(held.mailbox_id), error=str(error))
