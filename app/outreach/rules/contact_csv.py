"""Reads CSV as people have it: any usual encoding and delimiter, quoted line breaks, in pieces, resumable at any row."""

import csv
import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

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


class CsvRow(NamedTuple):
    """One record. `number` counts as a spreadsheet does, the header being row 1."""

    number: int
    cells: list[str]
    problem: RowProblem | None = None
    message: str = ""


class _NeedMore(Exception):
    """The bytes at hand end inside a record."""


class RowReader:
    """Takes bytes in pieces and gives whole rows. `offset` and `number` say where to go on after the rows given so far.

    Most of a file is read by _quick_rows, where only C runs over the bytes; it stops at whatever needs a closer look.
    """

    def __init__(self, form: CsvFormat, *, offset: int, number: int) -> None:
        self.offset = offset
        self.number = number
        self._form = form
        self._pending = b""
        self._dropped = 0

    def feed(self, data: bytes, *, last: bool = False) -> list[CsvRow]:
        """Rows that end within `data`; with `last`, also a final row without a line break. Blank rows are not given.

        What is pending never grows over LONGEST_ROW_BYTES and one piece: a longer record is given as one problem.
        """
        self._pending += data
        rows: list[CsvRow] = []
        while True:
            if self._dropped:
                skipped = self._skip(last)
                if skipped is None:
                    return rows
                rows.append(skipped)
            rows += self._quick_rows(last)
            rows += self._careful_rows(last)
            if last or len(self._pending) <= LONGEST_ROW_BYTES:
                return rows
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

    def _quick_rows(self, last: bool) -> list[CsvRow]:
        """As _careful_rows, up to the first record that is no plain one: damaged, broken, or not yet whole."""
        end = len(self._pending) if last else self._pending.rfind(b"\n") + 1
        if end == 0 or self._form.line_end != b"\n":
            return []
        try:
            text = self._pending[:end].decode(self._form.encoding)
        except UnicodeDecodeError:
            return []
        lines = chain(io.StringIO(text, newline="\n"), _no_more())
        reader = csv.reader(lines, delimiter=self._form.delimiter, skipinitialspace=True)
        rows: list[CsvRow] = []
        number, used = self.number, 0
        try:
            for record in reader:
                cells = [cell.strip() for cell in record]
                if any(cells):
                    rows.append(CsvRow(number, cells))
                number, used = number + 1, reader.line_num
        except (_NeedMore, csv.Error):
            end = self._start_of_rest(end, text.count("\n") + (not text.endswith("\n")) - used)
        self.offset, self.number = self.offset + end, number
        self._pending = self._pending[end:]
        return rows

    def _start_of_rest(self, end: int, lines: int) -> int:
        """Where the last `lines` lines before `end` begin."""
        for _ in range(lines):
            end = self._pending.rfind(b"\n", 0, end - 1) + 1
        return end

    def _careful_rows(self, last: bool) -> Iterator[CsvRow]:
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


def _no_more() -> Iterator[str]:
    """Tells a csv reader that wants another line from one that has ended a record."""
    raise _NeedMore
    yield ""


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


def report_lines(rows: Sequence[Sequence[object]]) -> str:
    """CSV lines of a report. Cells that a spreadsheet would run as a formula get an apostrophe in front."""
    page = io.StringIO()
    csv.writer(page).writerows([[_harmless(str(cell)) for cell in row] for row in rows])
    return page.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
