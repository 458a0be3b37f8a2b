"""Reading CSV: any encoding and delimiter that people have, each bad row a reason of its own, from any checkpoint."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.outreach.rules.contact_csv import CsvRow, RowProblem, RowReader, report_lines
from app.outreach.rules.contact_rows import contact_of, contact_reader
from app.outreach.rules.csv_format import CsvFormat, FileUnreadable, sniff

SAMPLE = 262_144


def read(data: bytes, *, piece: int = 64_000) -> tuple[CsvFormat, list[CsvRow]]:
    form = sniff(data[:SAMPLE], complete=len(data) <= SAMPLE)
    reader = RowReader(form, offset=form.data_offset, number=form.data_row)
    rows: list[CsvRow] = []
    for start in range(form.data_offset, len(data), piece):
        rows += reader.feed(data[start : start + piece])
    rows += reader.feed(b"", last=True)
    assert reader.offset == len(data)
    return form, rows


TEXT = "E-Mail;Vorname;Stadt\nann@mail.example;Jürgen;Köln\neve@mail.example;Zoë;“Ça”\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.replace("“Ça”", "Ça").encode("latin-1"), "cp1252"),
        (TEXT.replace("\n", "\r\n").encode(), "utf-8"),
        (TEXT.replace("\n", "\r").encode(), "utf-8"),
        (TEXT.replace(";", ",").encode(), "utf-8"),
        (TEXT.replace(";", "\t").encode(), "utf-8"),
        (TEXT.replace(";", "|").encode(), "utf-8"),
        (("sep=;\n" + TEXT).encode(), "utf-8"),
        (("\n\n" + TEXT).encode(), "utf-8"),
        (TEXT.rstrip().encode(), "utf-8"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 64_000])
def test_the_usual_encodings_delimiters_and_line_ends(data: bytes, encoding: str, piece: int) -> None:
    form, rows = read(data, piece=piece)

    assert form.encoding == encoding
    assert form.header == ("E-Mail", "Vorname", "Stadt")
    assert [row.cells[:2] for row in rows] == [["ann@mail.example", "Jürgen"], ["eve@mail.example", "Zoë"]]
    assert not [row for row in rows if row.problem]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1251", ["Иван", "Москва", "Ольга", "Санкт-Петербург", "Пётр", "Новосибирск"]),
        ("cp932", ["山田太郎", "東京都", "鈴木一郎", "大阪府", "佐藤花子", "北海道"]),
    ],
)
def test_other_alphabets_are_recognised_where_there_is_enough_text(encoding: str, words: list[str]) -> None:
    lines = [f"a{number}@mail.example;{word}" for number, word in enumerate(words)]

    _form, rows = read("\n".join(["email;word", *lines]).encode(encoding))

    assert [row.cells[1] for row in rows] == words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n \r\n\t\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"PK\x03\x04....", "Excel or ZIP"),
        (b"%PDF-1.7", "PDF"),
        (bytes(range(256)) * 20, "binary"),
        (b"\x00" * 5_000, "binary"),
        (b"\xff\xfe\x00\x00e\x00\x00\x00", "UTF-32"),
        (b",".join(b"c" for _ in range(300)) + b"\n", "columns"),
        (b'"' + b"x" * 200_000, "first row cannot be read"),
        (b"email," + b"x" * 501 + b"\n", "no header"),
        (b"email,na\x00me\nann@mail.example,x\n", "no header"),
    ],
)
def test_what_is_no_csv_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(FileUnreadable) as refused:
        sniff(data, complete=True)

    assert words in refused.value.message


def test_an_unknown_encoding_is_refused_and_a_known_one_is_obeyed() -> None:
    data = "email,city\nann@mail.example,Łódź\n".encode("cp1250")

    assert sniff(data, complete=True, encoding="cp1250").encoding == "cp1250"
    with pytest.raises(FileUnreadable, match="rot13"):
        sniff(data, complete=True, encoding="rot13")


def test_a_file_without_a_header_starts_with_its_first_row() -> None:
    form, rows = read(b"ann@mail.example,Ann\neve@mail.example,Eve\n")

    assert (form.has_header, form.email_column, form.header) == (False, 0, ("Column 1", "Column 2"))
    assert [row.number for row in rows] == [1, 2]


def test_rows_are_numbered_as_a_spreadsheet_does_blank_ones_too() -> None:
    _form, rows = read(b'email,note\na@b.example,"two\nlines"\n\n,,\nc@d.example,x\n')

    assert [(row.number, row.cells) for row in rows] == [
        (2, ["a@b.example", "two\nlines"]),
        (5, ["c@d.example", "x"]),
    ]


def test_an_unclosed_quote_costs_one_row_and_no_more() -> None:
    lines = [b"email,note", b'a@b.example,"open'] + [b"user%d@b.example,x" % n for n in range(20_000)]

    _form, rows = read(b"\n".join(lines) + b"\n")

    assert [(row.number, row.problem) for row in rows if row.problem] == [(2, RowProblem.UNREADABLE)]
    assert len(rows) == 20_001


def test_a_row_in_another_encoding_is_refused_alone() -> None:
    filler = b"".join(b"user%d@mail.example,x\n" % n for n in range(15_000))

    _form, rows = read(b"email,name\n" + filler + b"j@mail.example,J\xfcrgen\nk@mail.example,K\n")

    assert [(row.number, row.problem) for row in rows if row.problem] == [(15_002, RowProblem.NOT_TEXT)]
    assert rows[-1].cells == ["k@mail.example", "K"]


@pytest.mark.parametrize("piece", [9_999, 262_144])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_row_without_end_is_refused_alone_and_never_held_in_memory(piece: int, encoding: str) -> None:
    data = ("email,name\na@b.example," + "x" * 6_000_000 + "\nc@d.example,y\n").encode(encoding)
    tracemalloc.start()

    _form, rows = read(data, piece=piece)

    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(row.number, row.problem) for row in rows] == [(2, RowProblem.TOO_LONG), (3, None)]
    assert peak < 6_000_000


COLUMNS = ("email", "first_name", None, "city")


@pytest.mark.parametrize(
    ("cells", "problem", "words"),
    [
        (["", "Ann"], RowProblem.NO_ADDRESS, "no e-mail address"),
        (["   "], RowProblem.NO_ADDRESS, "no e-mail address"),
        (["ann", "Ann"], RowProblem.INVALID_VALUE, "no @-sign"),
        (["a@b.example", "x" * 201], RowProblem.TOO_LONG, "longer than 200"),
        (["a@b.example", "", "", "x" * 2_001], RowProblem.TOO_LONG, "longer than 2,000"),
        (["a@b.example", "A\x00nn"], RowProblem.INVALID_VALUE, "control characters"),
        (["a@b.example", "A\ud800nn"], RowProblem.INVALID_VALUE, "control characters"),
        (["a@b.example", "Ann", "", "Oslo", "more"], RowProblem.TOO_MANY_CELLS, "5 cells where the header has 4"),
    ],
)
def test_a_row_that_makes_no_contact_says_why(cells: list[str], problem: RowProblem, words: str) -> None:
    refused = contact_of(CsvRow(7, cells), COLUMNS)

    assert isinstance(refused, CsvRow)
    assert (refused.number, refused.cells, refused.problem) == (7, cells, problem)
    assert words in refused.message


WORDS = st.text(st.sampled_from("abé\n\r\x00\x1f\ud800\u00a0 "), max_size=4) | st.sampled_from(["x" * 201, "y" * 2_001])
ADDRESSES = st.sampled_from(
    ["ann@mail.example", "Ann@MAIL.example", "ann", "", "ann@mail", "a\x00@mail.example", "é@é.de"]
)


@given(
    row=st.lists(ADDRESSES | WORDS, max_size=5).map(lambda cells: [cell.strip() for cell in cells]),
    columns=st.permutations(["email", "first_name", "last_name", "company", "city", None]).map(lambda all_: all_[:4]),
)
def test_the_quick_way_to_a_contact_ends_where_the_careful_one_does(row: list[str], columns: list[str | None]) -> None:
    careful = contact_of(CsvRow(5, row), tuple(columns))

    assert contact_reader(tuple(columns))(CsvRow(5, row)) == careful


def test_missing_cells_at_the_end_are_blank_and_surplus_blank_ones_are_passed_over() -> None:
    short, long = (
        contact_of(CsvRow(2, ["a@b.example"]), COLUMNS),
        contact_of(CsvRow(3, ["a@b.example", "Ann", "x", "Oslo", ""]), COLUMNS),
    )

    assert not isinstance(short, CsvRow)
    assert not isinstance(long, CsvRow)
    assert (short.first_name, dict(short.fields)) == ("", {})
    assert (long.first_name, dict(long.fields)) == ("Ann", {"city": "Oslo"})


cells = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    table=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=12),
    piece=st.integers(1, 50),
    end=st.sampled_from(["\n", "\r\n"]),
    cut=st.integers(0, 11),
)
def test_any_table_reads_back_whatever_the_pieces_and_wherever_it_is_resumed(
    table: list[list[str]], piece: int, end: str, cut: int
) -> None:
    page = io.StringIO(newline="")
    csv.writer(page, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["email", "b", "c"], *table])
    data = page.getvalue().encode()
    expected = [[cell.strip() for cell in row] for row in table]
    form = CsvFormat("utf-8", b"\n", ",", ("email", "b", "c"), True, None, len(f'"email","b","c"{end}'), 2)

    def pieces(reader: RowReader, start: int) -> Iterator[tuple[list[CsvRow], int, int]]:
        for at in range(start, len(data), piece):
            yield reader.feed(data[at : at + piece]), reader.offset, reader.number
        yield reader.feed(b"", last=True), reader.offset, reader.number

    fed = list(pieces(RowReader(form, offset=form.data_offset, number=2), form.data_offset))

    assert [row.cells for rows, *_ in fed for row in rows] == [row for row in expected if any(row)]
    _rows, offset, number = fed[cut % len(fed)]
    again = pieces(RowReader(form, offset=offset, number=number), offset)
    rest = fed[cut % len(fed) + 1 :]
    assert [row for rows, *_ in again for row in rows] == [row for rows, *_ in rest for row in rows]


NASTY = st.text(st.sampled_from('ab,"\n\r \x00é'), max_size=60)


@settings(max_examples=400, deadline=None)
@given(text=NASTY, piece=st.integers(1, 30), delimiter=st.sampled_from([",", "\t"]))
def test_the_quick_way_through_a_file_reads_what_the_careful_one_reads(text: str, piece: int, delimiter: str) -> None:
    """UTF-16 knows the careful way only."""

    def rows_in(encoding: str, piece: int) -> list[CsvRow]:
        data = text.encode(encoding)
        form = CsvFormat(encoding, "\n".encode(encoding), delimiter, ("a", "b"), True, None, 0, 2)
        reader = RowReader(form, offset=0, number=2)
        rows = [row for at in range(0, len(data), piece) for row in reader.feed(data[at : at + piece])]
        rows += reader.feed(b"", last=True)
        assert reader.offset == len(data)
        return [row._replace(message="") for row in rows]

    assert rows_in("utf-8", piece) == rows_in("utf-16-le", 2 * piece)


def test_a_report_holds_no_formulas() -> None:
    assert report_lines([["=1+1", "+x", "-x", "@x", "\tx", "\rx", "a=b", 5]]) == (
        "'=1+1,'+x,'-x,'@x,'\tx,\"'\rx\",a=b,5\r\n"
    )
