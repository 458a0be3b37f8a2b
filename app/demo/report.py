"""How a demo ended: the table for people, the object for machines."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

MOST_REASONS = 10


@dataclass
class ImportResult:
    """What became of the rows of the file. `reasons` counts rejected rows by the server's sentence."""

    rows_read: int = 0
    rows_imported: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass
class SendingResult:
    """What became of the messages when we stopped watching. `open` are those that wait still, though not deferred."""

    sent: int = 0
    bounced: int = 0
    suppressed: int = 0
    in_doubt: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    open: int = 0
    per_second: float = 0.0
    seconds: float = 0.0
    updates: int = 0
    reconnects: int = 0
    remarks: list[str] = field(default_factory=list)


def as_object(imported: ImportResult, sending: SendingResult, ids: dict[str, str]) -> dict[str, Any]:
    """The object that ends `demo --json`."""
    return {
        "rowsRead": imported.rows_read,
        "rowsImported": imported.rows_imported,
        "rowsRejected": imported.rows_rejected,
        "rowsDuplicate": imported.rows_duplicate,
        "messagesSent": sending.sent,
        "messagesBounced": sending.bounced,
        "messagesSuppressed": sending.suppressed,
        "messagesInDoubt": sending.in_doubt,
        "messagesPerSecond": round(sending.per_second, 1),
        "messagesDeferred": sending.deferred,
        "messagesFailed": sending.failed,
        "messagesCancelled": sending.cancelled,
        "messagesOpen": sending.open,
        "seconds": round(sending.seconds, 1),
        "liveUpdates": sending.updates,
        "reconnects": sending.reconnects,
        "remarks": sending.remarks,
        "rejectedReasons": dict(imported.reasons.most_common()),
        **ids,
    }


def as_table(imported: ImportResult, sending: SendingResult) -> Table:
    """The table that ends `demo`."""
    table = Table(title="What happened", title_justify="left", show_header=False, min_width=56)
    table.add_column("what")
    table.add_column("how many", justify="right")
    table.add_row("Contacts read", _number(imported.rows_read))
    table.add_row("  imported", _number(imported.rows_imported))
    table.add_row("  rejected", _number(imported.rows_rejected))
    for reason, count in imported.reasons.most_common(MOST_REASONS):
        table.add_row(f"    {reason}", _number(count), style="dim")
    if len(imported.reasons) > MOST_REASONS:
        rest = sum(count for _reason, count in imported.reasons.most_common()[MOST_REASONS:])
        table.add_row(f"    for {len(imported.reasons) - MOST_REASONS} other reasons", _number(rest), style="dim")
    table.add_row("  duplicates", _number(imported.rows_duplicate), end_section=True)
    table.add_row("Messages sent", _number(sending.sent))
    table.add_row("  bounced", _number(sending.bounced))
    table.add_row("  suppressed (not written to)", _number(sending.suppressed))
    table.add_row("  in doubt", _number(sending.in_doubt))
    table.add_row("  deferred (tried again later)", _number(sending.deferred))
    table.add_row("  failed", _number(sending.failed))
    if sending.cancelled:
        table.add_row("  cancelled", _number(sending.cancelled))
    if sending.open:
        table.add_row("  still waiting", _number(sending.open))
    table.add_row("Messages per second", f"{sending.per_second:,.1f}")
    return table


def _number(value: int) -> str:
    return f"{value:,}"
