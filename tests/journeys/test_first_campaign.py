"""The product's main job on real input, by real processes: a CSV becomes mail, and every row is accounted for."""

import email
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from email.policy import default
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from app.demo.main import run
from tests.journeys.running_up import RunningUp, running_up

GOOD = [f"person{number}@company{number % 7}.example" for number in range(40)]
BEHAVED = {
    "gone+unknown-user@company1.example": "BOUNCED",
    "later+tempfail@company2.example": "DEFERRED",
    "grey+greylist@company3.example": "SENT",  # at its second try
    "lost+drop-after-data@company4.example": "IN_DOUBT",
    "late+slow@company5.example": "SENT",
}
BAD = ["not-an-address", "two@@signs.example", "", "no-domain@"]
DUPLICATES = [GOOD[0].upper(), GOOD[3].title(), GOOD[3]]
ROWS = [*GOOD[:20], *BAD[:2], *BEHAVED, *DUPLICATES, *GOOD[20:], *BAD[2:]]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    folder = tmp_path_factory.mktemp("journey")
    for parent in (folder, folder.parent):
        parent.chmod(0o755)
    with running_up(folder / "data") as running:
        yield running


@pytest.fixture(scope="module")
def contacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Headers by meaning, a name that needs quotes, bad rows and duplicates among the good ones."""
    path = tmp_path_factory.mktemp("contacts") / "people.csv"
    lines = [f'"{address}","Ada, {number}",Company {number}' for number, address in enumerate(ROWS)]
    path.write_text("\n".join(["E-mail,First name,Company", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def outcome(up: RunningUp, contacts: Path) -> dict[str, Any]:
    """What `demo --json` says; run inside this process, so that what it covers is seen."""
    written = io.StringIO()
    with redirect_stdout(written):
        assert run(contacts=contacts, data=up.data, as_json=True) == 0
    lines = written.getvalue().splitlines()
    assert len(lines) == 1, lines
    return cast("dict[str, Any]", json.loads(lines[0]))


class Client:
    """The demo tenant's owner, by plain HTTP."""

    def __init__(self, endpoints: dict[str, str]) -> None:
        self._url = endpoints["graphql"]
        self._token: str | None = None
        credentials = {"email": endpoints["demo.email"], "password": endpoints["demo.password"]}
        signed_in = self.run(
            "mutation ($input: SignInInput!) { signIn(input: $input) { session { accessToken } userErrors { message } } }",
            input=credentials,
        )
        self._token = signed_in["signIn"]["session"]["accessToken"]

    def run(self, query: str, **variables: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        answer = httpx.post(self._url, json={"query": query, "variables": variables}, headers=headers, trust_env=False)
        body = answer.json()
        assert "errors" not in body, body
        return cast("dict[str, Any]", body["data"])

    def all(self, query: str, field: str, **variables: Any) -> list[dict[str, Any]]:
        """Every node of a connection, page by page."""
        nodes: list[dict[str, Any]] = []
        after = None
        while True:
            page = self.run(query, after=after, **variables)[field]
            nodes += [edge["node"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                return nodes
            after = page["pageInfo"]["endCursor"]


MESSAGES = """
query ($campaignId: ID!, $after: String) {
  messages(campaignId: $campaignId, first: 100, after: $after) {
    edges { node { toAddress state messageIdHeader smtpReply story { outcome reply } rendered { matchesSent } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


@pytest.fixture(scope="module")
def ledger(up: RunningUp, outcome: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The campaign's messages by recipient."""
    nodes = Client(up.endpoints).all(MESSAGES, "messages", campaignId=outcome["campaignId"])
    assert len({node["toAddress"] for node in nodes}) == len(nodes)
    return {node["toAddress"]: node for node in nodes}


def test_the_table_counts_every_row_of_the_file(outcome: dict[str, Any]) -> None:
    counted = {name: outcome[name] for name in ("rowsRead", "rowsImported", "rowsRejected", "rowsDuplicate")}

    assert counted == {
        "rowsRead": len(ROWS),
        "rowsImported": len(GOOD) + len(BEHAVED),
        "rowsRejected": len(BAD),
        "rowsDuplicate": len(DUPLICATES),
    }
    assert sum(outcome["rejectedReasons"].values()) == len(BAD)


def test_the_table_counts_every_message(outcome: dict[str, Any]) -> None:
    fates = Counter(BEHAVED.values())

    assert outcome["messagesSent"] == len(GOOD) + fates["SENT"]
    assert outcome["messagesBounced"] == fates["BOUNCED"]
    assert outcome["messagesInDoubt"] == fates["IN_DOUBT"]
    assert outcome["messagesDeferred"] == fates["DEFERRED"]
    assert outcome["messagesSuppressed"] == 0
    assert outcome["messagesPerSecond"] > 0


def test_the_sandbox_received_one_mail_per_sent_row_and_none_for_the_others(
    up: RunningUp, outcome: dict[str, Any]
) -> None:
    attempts = up.received()
    campaign_mail = [each for each in attempts if each["tenantId"] is not None or each["disposition"] != "ACCEPTED"]
    accepted = Counter(each["recipients"][0] for each in campaign_mail if each["disposition"] == "ACCEPTED")

    assert accepted == Counter([*GOOD, *(address for address, fate in BEHAVED.items() if fate == "SENT")])
    assert outcome["messagesSent"] == sum(accepted.values())


def test_a_mail_whose_answer_was_lost_is_there_once_and_in_doubt(
    up: RunningUp, ledger: dict[str, dict[str, Any]]
) -> None:
    taken = up.received(recipient="lost+drop-after-data@company4.example")

    assert [each["disposition"] for each in taken] == ["TAKEN_SILENTLY"]
    assert ledger["lost+drop-after-data@company4.example"]["state"] == "IN_DOUBT"


def test_the_ledger_tells_of_each_recipient_what_the_sandbox_did(ledger: dict[str, dict[str, Any]]) -> None:
    states = {address: node["state"] for address, node in ledger.items()}

    assert states == dict.fromkeys(GOOD, "SENT") | BEHAVED


def test_what_arrived_is_the_mail_of_the_ledger_with_what_the_law_wants(
    up: RunningUp, ledger: dict[str, dict[str, Any]]
) -> None:
    settings = Client(up.endpoints).run("{ tenantSettings { postalAddress } }")["tenantSettings"]
    for address in GOOD[:5]:
        (attempt,) = up.received(recipient=address)
        mail = email.message_from_bytes(up.source(attempt["position"]), policy=default)
        body = mail.get_body(("plain",))

        assert body is not None
        assert mail["To"].addresses[0].addr_spec == address
        assert mail["Message-ID"] == ledger[address]["messageIdHeader"]
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert f"Hello Ada, {ROWS.index(address)}," in body.get_content()
        assert settings["postalAddress"].splitlines()[0] in body.get_content()
        assert ledger[address]["rendered"]["matchesSent"] is True


def test_a_second_campaign_does_not_write_to_who_bounced(
    up: RunningUp, contacts: Path, outcome: dict[str, Any], ledger: dict[str, dict[str, Any]]
) -> None:
    second = contacts.with_name("second.csv")
    second.write_text(f"email\n{GOOD[0]}\ngone+unknown-user@company1.example\n", encoding="utf-8")

    done = up.command("demo", f"--contacts={second}", "--json", seconds=120)

    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert (again["messagesSent"], again["messagesSuppressed"], again["messagesBounced"]) == (1, 1, 0)
    assert again["workspaceId"] != outcome["workspaceId"]
    assert len(up.received(recipient="gone+unknown-user@company1.example")) == 1


def test_a_file_that_is_no_contact_list_is_refused_in_a_sentence(up: RunningUp, tmp_path: Path) -> None:
    binary = tmp_path / "picture.csv"
    binary.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 50)

    done = up.command("demo", f"--contacts={binary}", "--json")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "The demo stopped:" in done.stderr
    assert "Traceback" not in done.stderr
