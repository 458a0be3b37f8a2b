"""One key per mailbox, and exactly what email-validator accepts, although most addresses take a shorter way."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.outreach.rules.email_addresses import EmailAddress, InvalidEmailAddress, normalise_address


@pytest.mark.parametrize(
    ("written", "address", "key"),
    [
        ("ann@mail.example", "ann@mail.example", "ann@mail.example"),
        ("  Ann.Ash@MAIL.Example\n", "Ann.Ash@mail.example", "ann.ash@mail.example"),
        ("eve@bücher.example", "eve@xn--bcher-kva.example", "eve@xn--bcher-kva.example"),
        ("eve@BÜCHER.example", "eve@xn--bcher-kva.example", "eve@xn--bcher-kva.example"),
        ("eve@xn--bcher-kva.example", "eve@xn--bcher-kva.example", "eve@xn--bcher-kva.example"),
        ("a+tag@mail.example", "a+tag@mail.example", "a+tag@mail.example"),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(written: str, address: str, key: str) -> None:
    assert normalise_address(written) == EmailAddress(address, key)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("ann", "no @-sign"),
        ("", "no @-sign"),
        ("ann@", "must be something after the @-sign"),
        ("@mail.example", "must be something before the @-sign"),
        ("a..b@mail.example", "two periods in a row"),
        ("ann@localhost", "should have a period"),
        ("ann@mail.test", "special-use"),
        ("ann@mail", "should have a period"),
        ("änn@mail.example", "Internationalized characters before the @-sign"),
        ("a@b@mail.example", "invalid characters: '@'"),
        ("x" * 65 + "@mail.example", "too long before the @-sign"),
        ("a@" + "b." * 125 + "example", "too long"),
        ("ann@mail.example\r\nBcc: eve@mail.example", "invalid characters"),
        ("Ann <ann@mail.example>", ""),
        ("ann\x00@mail.example", "invalid characters"),
    ],
)
def test_what_cannot_be_written_to_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(InvalidEmailAddress) as refused:
        normalise_address(written)

    assert "is not an e-mail address" in refused.value.message
    assert why in refused.value.message


LOCALS = st.text("abcXYZ019.-_+'!#= \"(\u00fc\x00", min_size=0, max_size=70)
DOMAINS = st.text("abcXYZ019.-_\u00fc\u00df ", min_size=0, max_size=80).map(lambda text: text + ".example")


LABELS = st.text("abYZ09-", min_size=1, max_size=65) | st.sampled_from(["xn--bcher-kva", "ab--c", "\u212a", "x" * 63])
ENDS = st.sampled_from(
    ["example", "Test", "LOCAL", "onion", "arpa", "com", "c0m", "co1", "1", "xn--p1ai", "de-", "\u017f"]
)
HOSTS = st.tuples(st.lists(LABELS, max_size=6), ENDS).map(lambda parts: ".".join([*parts[0], parts[1]]))


@settings(max_examples=500)
@given(LOCALS, DOMAINS | HOSTS)
@example("Info", "mail.example")
@example("a", "xn--a.example")
@example("a", "b" * 63 + ".example")
@example("a", "b" * 64 + ".example")
@example("a", "b." * 122 + "example")
@example("a", "b." * 123 + "example")
@example("a", "b." * 124 + "co")
@example("a", "mail.example\n")
def test_the_short_way_accepts_what_the_library_accepts_and_nothing_else(local: str, domain: str) -> None:
    written = f"{local}@{domain}".strip()
    try:
        expected = validate_email(written, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        with pytest.raises(InvalidEmailAddress):
            normalise_address(written)
    else:
        assert expected.ascii_email is not None
        address = normalise_address(written)
        assert address.key == expected.ascii_email.lower()
        assert address.address == f"{local.strip()}@{expected.ascii_domain}"
