"""Codes of RFC 6238's appendix B, the window around now, and what people type."""

import base64
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from app.identity.rules.totp_codes import matching_steps, provisioning_uri, qr_svg, recovery_code, typed_code

SECRET = base64.b32encode(b"12345678901234567890").decode()
# Appendix B, SHA-1, its last six digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
]


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert matching_steps(SECRET, code, at=datetime.fromtimestamp(seconds, UTC)) == [seconds // 30]


@pytest.mark.parametrize(("late_seconds", "steps"), [(-60, []), (-30, [41152263]), (30, [41152263]), (60, [])])
def test_a_code_is_good_one_step_early_and_one_step_late(late_seconds: int, steps: list[int]) -> None:
    assert matching_steps(SECRET, "005924", at=datetime.fromtimestamp(1234567890 + late_seconds, UTC)) == steps


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123 456", "123456"),
        (" 123-456\n", "123456"),
        ("ABCD-efgh-2345-67ab", "abcdefgh234567ab"),
        ("", ""),
        ("１２３４５６", ""),
        ("a\ud800b", ""),
        ("1" * 65, ""),
    ],
)
def test_what_people_type_is_read_or_is_no_code(text: str, code: str) -> None:
    assert typed_code(text) == code
    assert matching_steps(SECRET, code, at=datetime.fromtimestamp(59, UTC)) == []


def test_a_recovery_code_is_shown_in_groups_and_read_back() -> None:
    assert recovery_code("abcdefgh234567ab") == "abcd-efgh-2345-67ab"
    assert typed_code(recovery_code("abcdefgh234567ab")) == "abcdefgh234567ab"


def test_apps_read_who_and_what_from_the_link_and_its_picture_is_an_svg() -> None:
    uri = provisioning_uri(SECRET, "ada+x@acme.example")

    assert uri == f"otpauth://totp/PenguinMails:ada%2Bx%40acme.example?secret={SECRET}&issuer=PenguinMails"
    assert ElementTree.fromstring(qr_svg(uri)).tag == "{http://www.w3.org/2000/svg}svg"
