"""How one file will be imported: its format and columns, decided once from its first bytes and kept with the import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.outreach.rules.contact_columns import (
    ColumnMapping,
    Columns,
    columns_as_mapped,
    columns_by_content,
    columns_by_meaning,
)
from app.outreach.rules.contact_csv import CsvRow, RowReader
from app.outreach.rules.csv_format import CsvFormat, sniff

PREVIEW_ROWS = 10


class ImportState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class OnDuplicate(StrEnum):
    """What happens to a contact that the workspace has already."""

    SKIP = "skip"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class ReadingChoices:
    """What a person may decide instead of the sniffing: columns by header (None leaves one out), and the encoding."""

    mapping: ColumnMapping | None = None
    encoding: str | None = None


def plan_reading(sample: bytes, *, complete: bool, choices: ReadingChoices) -> tuple[CsvFormat, Columns]:
    """Raises FileUnreadable, and Problems for columns that do not fit."""
    form = sniff(sample, complete=complete, encoding=choices.encoding)
    if choices.mapping:
        return form, columns_as_mapped(form.header, choices.mapping)
    if form.email_column is not None:
        return form, columns_by_content(len(form.header), form.email_column)
    return form, columns_by_meaning(form.header)


def first_rows(sample: bytes, form: CsvFormat, *, complete: bool) -> Sequence[CsvRow]:
    reader = RowReader(form, offset=form.data_offset, number=form.data_row)
    rows = list(reader.feed(sample[form.data_offset :], last=complete))
    return rows[:PREVIEW_ROWS]


def format_to_json(form: CsvFormat) -> dict[str, Any]:
    """As it is stored with the import."""
    return {
        "encoding": form.encoding,
        "line_end": form.line_end.hex(),
        "delimiter": form.delimiter,
        "header": list(form.header),
        "has_header": form.has_header,
        "email_column": form.email_column,
        "data_offset": form.data_offset,
        "data_row": form.data_row,
    }


def format_from_json(stored: Mapping[str, Any]) -> CsvFormat:
    """The inverse of format_to_json."""
    return CsvFormat(**{**stored, "line_end": bytes.fromhex(stored["line_end"]), "header": tuple(stored["header"])})
