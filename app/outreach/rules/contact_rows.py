"""From the rows of a file to contacts: each row is a checked contact, or keeps its reason why not."""

from collections.abc import Callable, Sequence

from app.core.errors import DomainError, ErrorCode, Problems
from app.outreach.rules.contact_columns import Columns
from app.outreach.rules.contact_csv import CsvRow, RowProblem
from app.outreach.rules.contact_fields import (
    LONGEST_STANDARD,
    MOST_CUSTOM_FIELDS,
    STANDARD_FIELDS,
    ContactValues,
    contact_values,
)
from app.outreach.rules.email_addresses import InvalidEmailAddress, normalise_address

RowContact = Callable[[CsvRow], ContactValues | CsvRow]


def contact_reader(columns: Columns) -> RowContact:
    """A function that answers as contact_of(row, columns) does. Most rows are plain (nothing long, nothing that does not
    print), and take a way on which no cell is looked at alone.
    """
    custom = [(at, name) for at, name in enumerate(columns) if name is not None and name not in STANDARD_FIELDS]
    email, first, last, company = (columns.index(name) if name in columns else -1 for name in STANDARD_FIELDS)
    width, fits = len(columns), email >= 0 and len(custom) <= MOST_CUSTOM_FIELDS

    def read(row: CsvRow) -> ContactValues | CsvRow:
        _number, cells, problem, _message = row
        if problem is not None or len(cells) != width or not fits or not _plain(cells):
            return contact_of(row, columns)
        try:
            address = normalise_address(cells[email])
        except InvalidEmailAddress:
            return contact_of(row, columns)
        return ContactValues(
            address,
            cells[first] if first >= 0 else "",
            cells[last] if last >= 0 else "",
            cells[company] if company >= 0 else "",
            {name: cells[at] for at, name in custom if cells[at]},
        )

    return read


def _plain(cells: Sequence[str]) -> bool:
    whole = "".join(cells)
    return whole.isprintable() and (len(whole) <= LONGEST_STANDARD or max(map(len, cells)) <= LONGEST_STANDARD)


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
