"""What was received survives restarts and crashes, and can be found."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.sandbox.inbox import Attempt, Disposition, Filter, Inbox

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ATTEMPT = Attempt(
    received_at=AT,
    disposition=Disposition.ACCEPTED,
    behaviour="accept",
    reply="250 Ok",
    user="alice@acme.example",
    sender="alice+b1@acme.example",
    recipients=("Bob@lead.example", "eve@lead.example"),
    message_id="<m1@acme.example>",
    tenant_id="01890a5d-ac96-774b-bcce-b302099a8057",
    subject="Grüße",
    tls="TLSv1.3",
    size_bytes=3,
)


def test_attempts_and_sources_are_there_after_a_restart(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "received.jsonl")
    inbox.append(ATTEMPT, b"\x00\xff\r\n")
    inbox.append(replace(ATTEMPT, message_id=None, disposition=Disposition.REFUSED))
    inbox.close()

    again = Inbox(tmp_path / "received.jsonl")

    first, second = again.listed(Filter())[0]
    assert first.attempt == ATTEMPT
    assert again.source(first) == b"\x00\xff\r\n"
    assert again.source(second) is None
    third = again.append(ATTEMPT, b"x")
    assert third.position == 3
    assert again.source(third) == b"x"
    again.close()


def test_half_a_line_left_by_a_crash_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "received.jsonl"
    inbox = Inbox(file)
    inbox.append(ATTEMPT, b"one")
    inbox.close()
    whole = file.read_bytes()
    file.write_bytes(whole + whole[: len(whole) // 2])

    again = Inbox(file)
    stored = again.append(ATTEMPT, b"two")
    again.close()

    last = Inbox(file)
    assert [last.source(each) for each in last.listed(Filter())[0]] == [b"one", b"two"]
    assert stored.position == 2
    last.close()


def test_lists_are_paged_and_filtered(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "received.jsonl")
    for number in range(5):
        recipients = (f"b{number % 2}@lead.example",)
        inbox.append(replace(ATTEMPT, recipients=recipients, message_id=f"<m{number}@acme.example>"))

    def positions(chosen: Filter, **page: int) -> tuple[list[int], bool]:
        found, more = inbox.listed(chosen, **page)
        return [each.position for each in found], more

    assert positions(Filter(), first=2) == ([1, 2], True)
    assert positions(Filter(), after=2, first=3) == ([3, 4, 5], False)
    assert positions(Filter(recipient="B0@LEAD.example"), after=1) == ([3, 5], False)
    assert positions(Filter(message_id="m3@acme.example")) == ([4], False)
    assert positions(Filter(message_id="<m3@acme.example>", recipient="b0@lead.example")) == ([], False)
    assert positions(Filter(tenant_id=ATTEMPT.tenant_id, sender="ALICE+b1@acme.example"))[0] == [1, 2, 3, 4, 5]
    assert positions(Filter(tenant_id="other")) == ([], False)
    assert inbox.counts("recipient", Filter()) == {"b0@lead.example": 3, "b1@lead.example": 2}
    assert inbox.counts("tenant", Filter(recipient="b1@lead.example")) == {str(ATTEMPT.tenant_id): 2}
    with pytest.raises(ValueError, match="by is one of"):
        inbox.counts("subject", Filter())
    inbox.close()


def test_a_position_that_is_none_has_no_attempt(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "received.jsonl")
    stored = inbox.append(ATTEMPT, b"x")

    assert inbox.at(1) is stored
    assert inbox.at(0) is None
    assert inbox.at(2) is None
    inbox.close()
