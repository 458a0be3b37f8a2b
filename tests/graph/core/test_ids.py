"""Global ids and cursors: opaque, and safe against anything that a client can send."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadInput
from app.core.ids import new_id
from graph.core.connections import read_cursor, window, write_cursor
from graph.core.ids import NIL, decode, global_id, local_id

ROW = UUID("01900000-0000-7000-8000-000000000001")  # fixed: the names of tests must not change between workers


def test_an_id_gives_its_type_and_row_back() -> None:
    row_id = new_id()

    assert decode(global_id("Campaign", row_id)) == ("Campaign", row_id)
    assert local_id(global_id("Campaign", row_id), "Campaign") == row_id


def test_an_id_of_another_type_reads_as_the_nil_uuid() -> None:
    assert local_id(global_id("Campaign", new_id()), "Contact") == NIL


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "💥",
        "=" * 40,
        "A" * 100_000,
        str(ROW),
        global_id("Campaign", ROW) + "=",
        global_id("Campaign", ROW) + "\n",
        " " + global_id("Campaign", ROW),
        global_id("Camp aign", ROW),
        global_id("", ROW),
        "\0",
    ],
)
def test_malformed_ids_read_as_the_nil_uuid(value: str) -> None:
    assert local_id(value, "Campaign") == NIL


@given(st.text())
def test_no_text_breaks_decoding(text: str) -> None:
    decoded = decode(text)

    assert decoded is None or global_id(*decoded) == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_cursor_gives_its_key_back(key: str) -> None:
    assert read_cursor(write_cursor(key)) == key


@pytest.mark.parametrize("cursor", ["", "x", "💥", "Yzo=", "YTox", "=", "A" * 1000])
def test_malformed_cursors_are_bad_input(cursor: str) -> None:
    with pytest.raises(BadInput):
        window(25, cursor)


def test_a_cursor_of_another_list_is_bad_input() -> None:
    with pytest.raises(BadInput):
        _ = window(25, write_cursor("smith@customer.example")).after


def test_the_nil_uuid_is_the_one_that_no_row_has() -> None:
    assert UUID("00000000-0000-0000-0000-000000000000") == NIL
