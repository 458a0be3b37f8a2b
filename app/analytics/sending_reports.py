"""Sending by day, read from the OLAP tier; says how old the figures are, and says so too when the tier is away."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import structlog

from app.core.caller import Caller
from app.core.errors import BadInput
from app.core.permissions import Permission
from app.core.use_case import requires
from db.core.outages import AWAY_ERRORS
from db.core.transaction import olap_transaction
from db.queries.analytics import sending_days, sending_events
from db.queries.analytics.sending_days import RollupMark, SendingDay

__all__ = ["SendingDay"]
MOST_DAYS = 366
MOST_ROWS = 1_000
_AWAY = "The figures cannot be read now; they will be as soon as their database is back."
_BEHIND = "Some of the newest mails are not counted yet."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SendingReport:
    """`counted_at` is None while nothing was counted or nothing can be read."""

    days: list[SendingDay]
    counted_at: datetime | None
    stale_reason: str | None


@requires(Permission.CAMPAIGNS_READ)
async def sending_report(caller: Caller, workspace_id: UUID, *, from_on: date, to_on: date) -> SendingReport:
    """At most 366 days and 1,000 rows. Raises BadInput for a range that is not one."""
    if not 0 <= (to_on - from_on).days < MOST_DAYS:
        raise BadInput(f"The range ends on or after its first day, and has at most {MOST_DAYS} days.")
    if not caller.sees(workspace_id):
        return SendingReport([], None, None)
    caller.must(Permission.CAMPAIGNS_READ, workspace_id)
    async with caller.transaction(read_only=True):
        newest = await sending_events.last_position()
        is_unnumbered = await sending_events.has_unnumbered()
    try:
        async with olap_transaction(caller.tenant_id, read_only=True):
            mark = await sending_days.mark()
            days = await sending_days.sending_days(workspace_id, from_on=from_on, to_on=to_on, limit=MOST_ROWS)
    except AWAY_ERRORS as error:
        _log.warning("olap_away", error=str(error))
        return SendingReport([], None, _AWAY)
    return SendingReport(days, _counted_at(mark), _BEHIND if is_unnumbered or _position(mark) < newest else None)


def _position(mark: RollupMark | None) -> int:
    return 0 if mark is None else mark.position


def _counted_at(mark: RollupMark | None) -> datetime | None:
    return None if mark is None or mark.position == 0 else mark.counted_at
