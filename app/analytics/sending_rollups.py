"""Feeding the OLAP tier from recorded events: each is counted once, however often the job is repeated."""

from datetime import timedelta

from app.core.caller import Caller
from app.jobs.outbox import enqueue
from app.outreach.jobs import ROLL_UP_DEDUPE, ROLL_UP_SECONDS, RollUpSending
from db.core.transaction import olap_transaction
from db.queries.analytics import sending_days, sending_events
from db.queries.identity import tenants

_STEP = 20_000


async def roll_up_sending(caller: Caller) -> None:
    """Job: counts every event since the mark, in steps. Raises what PostgreSQL raises while a tier is away, to be retried."""
    while await _roll_up_step(caller):
        pass
    async with caller.transaction():
        if await sending_events.has_unnumbered():
            later = caller.now() + timedelta(seconds=ROLL_UP_SECONDS)
            await enqueue(caller, RollUpSending(), due_at=later, dedupe_key=ROLL_UP_DEDUPE)


async def _roll_up_step(caller: Caller) -> bool:
    """The mark is read, the events are added up in OLTP, and counted only if the mark still stands where it was."""
    now = caller.now()
    async with olap_transaction(caller.tenant_id):
        after = await sending_days.lock_mark(now)
    async with caller.transaction(read_only=True):
        settings = await tenants.settings()
        newest = await sending_events.last_position()
        until = min(newest, after + _STEP)
        zone = "UTC" if settings is None else settings.time_zone
        deltas = await sending_events.sending_deltas(after=after, until=until, time_zone=zone)
    async with olap_transaction(caller.tenant_id):
        if await sending_days.lock_mark(now) != after:
            return True
        await sending_days.add_deltas(deltas)
        await sending_days.move_mark(until, now)
    return until < newest
