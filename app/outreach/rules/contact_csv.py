"""Reads CSV as people have it: any usual encoding and delimiter, quoted line breaks, in pieces, resumable at any row."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import DomainError, ErrorCode, Problems
from app.outreach.rules.contact_columns import Columns
from app.outreach.rules.contact_fields import ContactValues, contact_values
from app.outreach.rules.csv_format import CsvFormat

LONGEST_ROW_BYTES = 1_048_576
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class RowProblem(StrEnum):
    """Why a row of the file became no contact."""

    NO_ADDRESS = "no_address"
    INVALID_VALUE = "invalid_value"
    DUPLICATE = "duplicate"
    TOO_MANY_CELLS = "too_many_cells"
    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One record. `number` counts as a spreadsheet does, the header being row 1."""

    number: int
    cells: list[str]
    problem: RowProblem | None = None
    message: str = ""


class _NeedMore(Exception):
    """The bytes at hand end inside a record."""


class RowReader:
    """Takes bytes in pieces and gives whole rows. `offset` and `number` say where to go on after the last row given."""

    def __init__(self, form: CsvFormat, *, offset: int, number: int) -> None:
        self.offset = offset
        self.number = number
        self._form = form
        self._pending = b""
        self._dropped = 0

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[CsvRow]:
        """Rows that end within `data`; with `last`, also a final row without a line break. Blank rows are not given.

        Consume it fully before the next call. What is pending never grows over LONGEST_ROW_BYTES and one piece:
        a longer record is given as one problem.
        """
        self._pending += data
        while True:
            if self._dropped:
                skipped = self._skip(last)
                if skipped is None:
                    return
                yield skipped
            yield from self._whole_rows(last)
            if last or len(self._pending) <= LONGEST_ROW_BYTES:
                return
            self._drop(LONGEST_ROW_BYTES)

    def _drop(self, count: int) -> None:
        """Forgets the start of a record that is too long; it ends with the next line break after that."""
        self._dropped += count
        self._pending = self._pending[count:]

    def _skip(self, last: bool) -> CsvRow | None:
        end = self._line_end(0)
        if end < 0 and not last:
            self._drop(len(self._pending) & ~1)
            return None
        end = len(self._pending) if end < 0 else end
        row = CsvRow(self.number, [], RowProblem.TOO_LONG, f"The row is longer than {LONGEST_ROW_BYTES:,} bytes.")
        self.offset += self._dropped + end
        self.number += 1
        self._pending, self._dropped = self._pending[end:], 0
        return row

    def _whole_rows(self, last: bool) -> Iterator[CsvRow]:
        lines = _Lines(self, last)
        start, read = self.offset, 0
        reader = csv.reader(lines, delimiter=self._form.delimiter, skipinitialspace=True)
        while (row := self._next(reader, lines)) is not None:
            read = lines.position
            self.offset = start + read
            self.number += 1
            if row.problem is not None or any(row.cells):
                yield row
        self._pending = self._pending[read:]

    def _next(self, reader: Iterator[list[str]], lines: "_Lines") -> CsvRow | None:
        lines.begin_record()
        try:
            cells = next(reader)
        except (_NeedMore, StopIteration):
            return None
        except csv.Error as error:
            lines.keep_first_line_only()
            broken = "a quoted cell is never closed, or far too long" if "larger" in str(error) else str(error)
            return CsvRow(self.number, [], RowProblem.UNREADABLE, f"The row cannot be read: {broken}.")
        if lines.exhausted:
            lines.keep_first_line_only()
            return CsvRow(
                self.number, [], RowProblem.UNREADABLE, "The row cannot be read: a quoted cell is never closed."
            )
        cells = [cell.strip() for cell in cells]
        if lines.damaged:
            message = f"The row is not text in the encoding of the rest of the file, {self._form.encoding}."
            return CsvRow(self.number, cells, RowProblem.NOT_TEXT, message)
        return CsvRow(self.number, cells)

    def _line_end(self, start: int) -> int:
        """Where the line that begins at `start` ends, or -1."""
        end, wide = self._form.line_end, self._form.unit_bytes
        at = self._pending.find(end, start)
        while wide > 1 and at >= 0 and (at - start) % wide:
            at = self._pending.find(end, at + 1)
        return at if at < 0 else at + len(end)


class _Lines:
    """The decoded lines that a csv reader pulls, with what happened while it read the present record."""

    def __init__(self, owner: RowReader, last: bool) -> None:
        self.position = 0
        self.damaged = False
        self.exhausted = False
        self._owner = owner
        self._last = last
        self._first_end = 0

    def begin_record(self) -> None:
        self.damaged = self.exhausted = False
        self._first_end = 0

    def keep_first_line_only(self) -> None:
        """A broken record costs its first line; what follows is read again as rows of its own."""
        self.position = self._first_end

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        data = self._owner._pending
        end = self._owner._line_end(self.position)
        if end < 0:
            if not self._last:
                raise _NeedMore
            if self.position >= len(data):
                self.exhausted = True
                raise StopIteration
            end = len(data)
        raw = data[self.position : end]
        self.position = end
        self._first_end = self._first_end or end
        try:
            return raw.decode(self._owner._form.encoding)
        except UnicodeDecodeError:
            self.damaged = True
            return raw.decode(self._owner._form.encoding, "replace")


def contact_of(row: CsvRow, columns: Columns) -> ContactValues | CsvRow:
    """The row's checked contact, or the row with its problem. Missing cells at the end count as blank."""
    if row.problem is not None:
        return row
    if len(row.cells) > len(columns) and any(row.cells[len(columns) :]):
        message = f"The row has {len(row.cells)} cells where the header has {len(columns)}: quote cells that contain the delimiter."
        return CsvRow(row.number, row.cells, RowProblem.TOO_MANY_CELLS, message)
    raw = {name: cell for name, cell in zip(columns, row.cells, strict=False) if name is not None}
    try:
        return contact_values(raw)
    except Problems as error:
        return CsvRow(
            row.number, row.cells, _problem_of(error.parts()), " ".join(part.message for part in error.parts())
        )


def _problem_of(parts: Sequence[DomainError]) -> RowProblem:
    if parts[0].code is ErrorCode.REQUIRED:
        return RowProblem.NO_ADDRESS
    return RowProblem.TOO_LONG if parts[0].code is ErrorCode.TOO_LONG else RowProblem.INVALID_VALUE


def report_lines(rows: Sequence[Sequence[object]]) -> str:
    """CSV lines of a report. Cells that a spreadsheet would run as a formula get an apostrophe in front."""
    page = io.StringIO()
    csv.writer(page).writerows([[_harmless(str(cell)) for cell in row] for row in rows])
    return page.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
