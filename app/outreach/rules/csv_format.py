"""What kind of CSV a file is, from its first bytes: encoding, line ends, delimiter, header. Refuses what is no text."""

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from charset_normalizer import from_bytes

from app.core.errors import DomainError, ErrorCode

MOST_COLUMNS = 200
LONGEST_HEADER = 500
DELIMITERS = (",", ";", "\t", "|")
_ROWS_LOOKED_AT = 50
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_BINARY = {
    b"PK\x03\x04": "an Excel or ZIP file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF file",
    b"\x1f\x8b": "a gzip file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x7fELF": "a program",
    b"{\\rtf": "a Word document",
}
_CODE_PAGES = ["cp1252", "latin_1", "iso8859_15", "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254", "cp932", "gb18030", "big5", "euc_kr", "mac_roman"]  # fmt: skip
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", *_CODE_PAGES)
_WESTERN = frozenset({"cp1252", "latin_1", "iso8859_15"})
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n?\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")


class FileUnreadable(DomainError):
    """The file is no CSV of contacts; the message says what it is or what to do."""

    code = ErrorCode.FILE_UNREADABLE

    def __init__(self, message: str) -> None:
        super().__init__(message, ("input", "uploadId"))


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How to read the file. `data_offset` is the byte, `data_row` the number (from 1) of the first row after the header."""

    encoding: str
    line_end: bytes
    delimiter: str
    header: tuple[str, ...]
    has_header: bool
    email_column: int | None
    data_offset: int
    data_row: int

    @property
    def unit_bytes(self) -> int:
        return 2 if self.encoding.startswith("utf-16") else 1


def sniff(sample: bytes, *, complete: bool, encoding: str | None = None) -> CsvFormat:
    """From the file's first bytes (64 KiB and more); `complete` when they are the whole file.

    A first row that holds an address is data, not a header. `encoding`, one of ENCODINGS, overrules what the bytes
    look like. Raises FileUnreadable.
    """
    if encoding is not None and encoding not in ENCODINGS:
        raise FileUnreadable(f"The encoding “{encoding[:40]}” is not known; there are: {', '.join(ENCODINGS)}.")
    looks_like, start = _encoding(sample)
    encoding = encoding or looks_like
    line_end = _line_end(sample, encoding)
    text = _decoded(sample[start:], encoding, line_end, complete)
    lines = text.splitlines(keepends=True)
    skipped = 0
    named = _SEPARATOR_LINE.match(lines[0]) if lines else None
    if named is not None:
        start += len(lines[0].encode(encoding))
        lines, skipped = lines[1:], 1
    while lines and not lines[0].strip():
        start += len(lines[0].encode(encoding))
        lines, skipped = lines[1:], skipped + 1
    if not lines:
        raise FileUnreadable("The file is empty: it needs a header and a row for each contact.")
    delimiter = named.group(1) if named is not None else _delimiter(lines)
    header, header_bytes = _first_row(lines, delimiter, encoding)
    if len(header) > MOST_COLUMNS:
        raise FileUnreadable(f"The file has {len(header):,} columns; at most {MOST_COLUMNS} can be read.")
    if any(len(cell) > LONGEST_HEADER or "\x00" in cell for cell in header):
        raise FileUnreadable(f"The first row is no header: a cell has over {LONGEST_HEADER} characters, or is no text.")
    email_column = next((at for at, cell in enumerate(header) if _ADDRESS.match(cell)), None)
    has_header = email_column is None
    return CsvFormat(
        encoding=encoding,
        line_end=line_end,
        delimiter=delimiter,
        header=header if has_header else tuple(f"Column {at + 1}" for at in range(len(header))),
        has_header=has_header,
        email_column=email_column,
        data_offset=start + (header_bytes if has_header else 0),
        data_row=skipped + (2 if has_header else 1),
    )


def _encoding(sample: bytes) -> tuple[str, int]:
    """The codec's name, and the length of its byte order mark."""
    if not sample.strip():
        raise FileUnreadable("The file is empty: it needs a header and a row for each contact.")
    for signature, kind in _BINARY.items():
        if sample.startswith(signature):
            raise FileUnreadable(f"This is {kind}, not CSV. Open it in your spreadsheet program and save it as CSV.")
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise FileUnreadable("The file is encoded in UTF-32: save it as UTF-8.")
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return name, len(mark)
    if (zeros := sample.count(0)) > max(10, len(sample) // 100):
        return _without_mark(sample, zeros), 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return _code_page(sample), 0
    return "utf-8", 0


def _without_mark(sample: bytes, zeros: int) -> str:
    """UTF-16 without a mark has a zero in nearly every second byte, always on the same side."""
    for name, side in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[0::2])):
        if side.count(0) == zeros and zeros > len(side) * 0.7:
            return name
    raise FileUnreadable("This is a binary file, not CSV.")


def _code_page(sample: bytes) -> str:
    controls = sum(sample.count(code) for code in (*range(1, 9), *range(14, 27), *range(28, 32)))
    if controls > len(sample) // 100:
        raise FileUnreadable("This is a binary file, not CSV.")
    found = from_bytes(sample[:65_536], cp_isolation=_CODE_PAGES, preemptive_behaviour=False)
    best = found.best()
    if best is None:
        raise FileUnreadable("The encoding of the file could not be recognised: save it as UTF-8.")
    for match in found:  # short texts fit several code pages equally well: the most usual of them is meant
        western = not _WESTERN.isdisjoint([match.encoding, *match.could_be_from_charset])
        if western and match.percent_chaos <= best.percent_chaos:
            return "cp1252"
    return best.encoding


def _line_end(sample: bytes, encoding: str) -> bytes:
    feed, back = "\n".encode(encoding), "\r".encode(encoding)
    return back if feed not in sample and back in sample else feed


def _decoded(sample: bytes, encoding: str, line_end: bytes, complete: bool) -> str:
    """The sample's text, without its last and perhaps broken line unless that is all there is."""
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(sample, final=complete)
    except LookupError as error:
        raise FileUnreadable("The encoding of the file is not known here: save it as UTF-8.") from error
    whole = text.rpartition(line_end.decode(encoding))
    return text if complete or not whole[1] else whole[0] + whole[1]


def _delimiter(lines: Sequence[str]) -> str:
    """The one by which most rows are as wide as the first; a comma for a file of one column."""

    def agreement(delimiter: str) -> tuple[int, int]:
        rows = _some_rows(lines, delimiter)
        width = len(rows[0]) if rows else 0
        return (sum(1 for row in rows if len(row) == width), width) if width > 1 else (0, 0)

    return max(DELIMITERS, key=agreement)


def _some_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(iter(lines[:_ROWS_LOOKED_AT]), delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            rows.append(next(reader))
        except StopIteration:
            return [row for row in rows if row]
        except csv.Error:
            continue


def _first_row(lines: list[str], delimiter: str, encoding: str) -> tuple[tuple[str, ...], int]:
    """The first record and its length in bytes, over several lines where a quoted cell has line breaks."""
    reader = csv.reader(iter(lines), delimiter=delimiter, skipinitialspace=True)
    try:
        cells = next(reader)
    except csv.Error as error:
        raise FileUnreadable(
            "The first row cannot be read: a cell is far too long, or its quote is never closed."
        ) from error
    length = sum(len(line.encode(encoding)) for line in lines[: reader.line_num])
    return tuple(cell.strip() for cell in cells), length
