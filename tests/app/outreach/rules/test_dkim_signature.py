"""sign: an independent verifier takes the signature, and loses it with any byte changed."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from app.outreach.rules.dkim_signature import (
    KeyUnusable,
    new_private_key,
    public_record,
    sign,
    signing_key,
    txt_strings,
)
from app.outreach.rules.mail_composition import OutgoingMail, compose
from app.outreach.rules.unsubscribe_headers import Unsubscribe

PEM = new_private_key()
KEY = signing_key(PEM, domain="acme.example", selector="pm1")
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
MAIL = OutgoingMail(
    message_id="<abc.def@acme.example>",
    date=AT,
    from_address="alice@acme.example",
    from_name="Älice",
    to_address="bob@lead.example",
    subject="A question  with  blanks " * 6,
    text="Hello  Bob, \n\n. dots\n..\n\ttabs\t\n\n\n",
    html="<p>Hello</p>\n\n",
    unsubscribe=Unsubscribe("https://mail.acme.example/u/token", "optout@acme.example"),
)


def verified(raw: bytes) -> bool:
    def record(name: bytes, timeout: float = 5) -> bytes:
        assert name == b"pm1._domainkey.acme.example."
        return public_record(PEM).encode()

    verify: Callable[..., bool] = dkim.verify
    return verify(raw, dnsfunc=record)


@pytest.mark.parametrize(
    "mail", [MAIL, replace(MAIL, html=None), replace(MAIL, unsubscribe=None, text="\n\n", html=None)]
)
def test_an_independent_verifier_takes_the_signature(mail: OutgoingMail) -> None:
    assert verified(sign(compose(mail), key=KEY, signed_at=AT))


def test_from_is_signed_twice_and_both_unsubscribe_headers_once() -> None:
    head = sign(compose(MAIL), key=KEY, signed_at=AT).partition(b"\r\nFrom:")[0].decode()

    tags = dict(part.strip().split("=", 1) for part in head.partition(":")[2].replace("\r\n", "").split(";"))
    assert tags["h"].replace(" ", "") == (
        "from:from:to:subject:date:message-id:list-unsubscribe:list-unsubscribe-post:mime-version:content-type"
    )
    assert (tags["a"], tags["c"], tags["d"], tags["s"]) == ("rsa-sha256", "relaxed/relaxed", "acme.example", "pm1")
    assert "l" not in tags


def test_every_changed_byte_breaks_the_signature() -> None:
    raw = sign(compose(MAIL), key=KEY, signed_at=AT)
    marks = [
        b"alice@acme",
        b"bob@lead",
        b"question",
        b"Mar 2026",
        b"abc.def",
        b"/u/token",
        b"One-Click",
        b"<p>",
        b"dots",
    ]

    for mark in marks:
        at = raw.index(mark)
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert not verified(changed), mark


def test_a_second_from_breaks_the_signature() -> None:
    raw = sign(compose(MAIL), key=KEY, signed_at=AT)

    assert not verified(raw.replace(b"\r\nTo: ", b"\r\nFrom: eve@evil.example\r\nTo: ", 1))


def test_the_same_mail_key_and_moment_give_the_same_bytes() -> None:
    raw = compose(MAIL)

    assert sign(raw, key=KEY, signed_at=AT) == sign(
        raw, key=signing_key(PEM, domain="ACME.example", selector="pm1"), signed_at=AT
    )


def test_the_record_is_cut_into_strings_of_255_bytes() -> None:
    record = public_record(PEM)

    strings = txt_strings(record)

    assert "".join(strings) == record
    assert [len(each) for each in strings] == [255, len(record) - 255]
    assert record.startswith("v=DKIM1; k=rsa; p=")
    public = serialization.load_der_public_key(base64.b64decode(record.partition("p=")[2]))
    assert public == KEY.private_key.public_key()


def test_keys_and_names_that_cannot_sign_are_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem in (b"", b"nonsense", other):
        with pytest.raises(KeyUnusable):
            signing_key(pem, domain="acme.example", selector="pm1")
    for domain, selector in (("acme.example; d=evil.example", "pm1"), ("acme.example", "a\r\nb"), ("", "pm1")):
        with pytest.raises(KeyUnusable):
            signing_key(PEM, domain=domain, selector=selector)


def test_bytes_without_a_header_are_not_signed() -> None:
    with pytest.raises(ValueError, match="end of header"):
        sign(b"hello\r\n", key=KEY, signed_at=AT)
    with pytest.raises(ValueError, match="From"):
        sign(b"To: x\r\n\r\nhello\r\n", key=KEY, signed_at=AT)
