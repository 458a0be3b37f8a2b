"""Sending by day, in the OLAP tier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from db.core.rows import all_rows, one_row
from db.core.transaction import current
from db.queries.analytics.sending_events import SendingDelta

_MARK = "sending"


@dataclass(frozen=True, slots=True)
class SendingDay:
    sent_on: date
    campaign_id: UUID
    mailbox_id: UUID
    sent: int
    bounced: int
    failed: int
    deferred: int
    in_doubt: int


@dataclass(frozen=True, slots=True)
class RollupMark:
    """Every event up to `position` is counted."""

    position: int
    counted_at: datetime


async def lock_mark(at: datetime) -> int:
    """The position up to which events are counted, held until the commit; 0 at first."""
    await current().execute(
        "INSERT INTO rollup_marks (tenant_id, name, position, counted_at) VALUES ($1, $2, 0, $3) "
        "ON CONFLICT (tenant_id, name) DO NOTHING",
        current().tenant_id,
        _MARK,
        at,
    )
    position: int = await current().fetchval(
        "SELECT position FROM rollup_marks WHERE tenant_id = $1 AND name = $2 FOR UPDATE", current().tenant_id, _MARK
    )
    return position


async def move_mark(position: int, at: datetime) -> None:
    await current().execute(
        "UPDATE rollup_marks SET position = $3, counted_at = $4 WHERE tenant_id = $1 AND name = $2",
        current().tenant_id,
        _MARK,
        position,
        at,
    )


async def mark() -> RollupMark | None:
    return await one_row(
        RollupMark,
        "SELECT position, counted_at FROM rollup_marks WHERE tenant_id = $1 AND name = $2",
        current().tenant_id,
        _MARK,
    )


async def add_deltas(deltas: Sequence[SendingDelta]) -> None:
    await current().executemany(
        """
        INSERT INTO sending_days AS d (tenant_id, sent_on, campaign_id, mailbox_id, workspace_id, sent, bounced, failed,
          deferred, in_doubt)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (tenant_id, sent_on, campaign_id, mailbox_id) DO UPDATE SET sent = d.sent + EXCLUDED.sent,
          bounced = d.bounced + EXCLUDED.bounced, failed = d.failed + EXCLUDED.failed,
          deferred = d.deferred + EXCLUDED.deferred, in_doubt = d.in_doubt + EXCLUDED.in_doubt
        """,
        [(current().tenant_id, *(getattr(each, name) for name in SendingDelta.__slots__)) for each in deltas],
    )


async def sending_days(workspace_id: UUID, *, from_on: date, to_on: date, limit: int) -> list[SendingDay]:
    """By day, campaign and mailbox, oldest first."""
    return await all_rows(
        SendingDay,
        "SELECT sent_on, campaign_id, mailbox_id, sent, bounced, failed, deferred, in_doubt FROM sending_days "
        "WHERE tenant_id = $1 AND workspace_id = $2 AND sent_on BETWEEN $3 AND $4 "
        "ORDER BY sent_on, campaign_id, mailbox_id LIMIT $5",
        current().tenant_id,
        workspace_id,
        from_on,
        to_on,
        limit,
    )
