"""What the demo says when there is nothing to talk to, or nothing to talk about."""

import json
from pathlib import Path

import pytest

from app.demo.endpoints import Endpoints, read_endpoints
from app.demo.importing import check_file
from app.demo.main import FAILED, run
from app.demo.problem import DemoProblem

WRITTEN = {
    "graphql": "http://127.0.0.1:1/graphql",
    "graphqlWs": "ws://127.0.0.1:1/graphql",
    "readyz": "http://127.0.0.1:1/readyz",
    "sandbox.smtp": "smtp://127.0.0.1:1",
    "demo.email": "demo@penguinmails.example",
    "demo.password": "secret",
}


def test_endpoints_are_read_as_up_writes_them(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text(json.dumps(WRITTEN), encoding="utf-8")

    assert read_endpoints(tmp_path) == Endpoints(
        graphql="http://127.0.0.1:1/graphql",
        graphql_ws="ws://127.0.0.1:1/graphql",
        readyz="http://127.0.0.1:1/readyz",
        sandbox_smtp="smtp://127.0.0.1:1",
        email="demo@penguinmails.example",
        password="secret",
    )


def test_without_up_the_person_is_told_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(DemoProblem, match="Start `penguinmails up` in another terminal"):
        read_endpoints(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"graphql": 1'])
def test_a_strange_endpoints_file_is_not_taken_for_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoints.json").write_text(text, encoding="utf-8")

    with pytest.raises(DemoProblem, match="is not what this version of `up` writes"):
        read_endpoints(tmp_path)


def test_a_file_that_cannot_hold_contacts_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()

    with pytest.raises(DemoProblem, match="There is no file"):
        check_file(tmp_path / "missing.csv")
    with pytest.raises(DemoProblem, match="is not a file"):
        check_file(tmp_path)
    with pytest.raises(DemoProblem, match="is empty"):
        check_file(empty)


def test_a_stopped_server_is_a_sentence_on_standard_error_and_nothing_on_standard_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "endpoints.json").write_text(json.dumps(WRITTEN), encoding="utf-8")
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("email\nada@one.example\n", encoding="utf-8")

    code = run(contacts=contacts, data=tmp_path, as_json=True)

    written = capfd.readouterr()
    assert code == FAILED
    assert written.out == ""
    assert "Nothing answers at http://127.0.0.1:1/graphql" in " ".join(written.err.split())
    assert "Traceback" not in written.err
