"""compose: the bytes are a mail that every reader takes apart the same way, and tenants cannot add to its header."""

import email
import email.policy
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import DomainError
from app.outreach.rules.header_safety import BrokenMail, UnsafeHeader, check_finished
from app.outreach.rules.mail_composition import OutgoingMail, TextTooLarge, UnsendableText, compose
from app.outreach.rules.unsubscribe_headers import Unsubscribe

MAIL = OutgoingMail(
    message_id="<abc.def@acme.example>",
    date=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    from_address="alice@acme.example",
    from_name="Alice of Acme",
    to_address="bob@lead.example",
    subject="A question",
    text="Hello Bob,\n\nhow are you?\n",
    html="<p>Hello Bob,</p><p>how are you?</p>",
    unsubscribe=Unsubscribe("https://mail.acme.example/u/tok-en_1", "optout@acme.example"),
)
NAMES = ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"]
NAMES += ["MIME-Version", "Content-Type"]


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_mail_with_text_and_html_has_exactly_the_headers_and_parts_asked_for() -> None:
    message = read(compose(MAIL))

    assert message.keys() == NAMES
    assert message["From"] == "Alice of Acme <alice@acme.example>"
    assert message["Date"] == "Sun, 01 Mar 2026 09:30:00 +0000"
    assert message["List-Unsubscribe"] == "<https://mail.acme.example/u/tok-en_1>, <mailto:optout@acme.example>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [each.get_content_type() for each in message.iter_parts()] == ["text/plain", "text/html"]
    assert part(message, "plain") == MAIL.text
    assert part(message, "html") == f"{MAIL.html}\n"


def test_the_same_mail_gives_the_same_bytes() -> None:
    assert compose(MAIL) == compose(replace(MAIL))


def test_a_mail_without_html_is_one_plain_part() -> None:
    raw = compose(replace(MAIL, html=None, unsubscribe=None))

    assert raw == (
        b"From: Alice of Acme <alice@acme.example>\r\nTo: bob@lead.example\r\nSubject: A question\r\n"
        b"Date: Sun, 01 Mar 2026 09:30:00 +0000\r\nMessage-ID: <abc.def@acme.example>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n'
        b"Hello Bob,\r\n\r\nhow are you?\r\n"
    )


def test_a_missing_text_part_is_made_from_the_html() -> None:
    html = (
        '<h1>Offer</h1><p>See <a href="https://acme.example/x">our page</a>.</p><img src="https://acme.example/p.png">'
    )

    message = read(compose(replace(MAIL, text=None, html=html)))

    assert part(message, "plain") == "Offer\n\nSee our page (https://acme.example/x).\n"


def test_hostile_html_costs_no_more_than_its_length() -> None:
    started = time.process_time()

    compose(replace(MAIL, text=None, html="<a " * 300_000))

    assert time.process_time() - started < 2, "a reader that looks for each tag's end anew takes minutes"


def test_words_beyond_ascii_travel_in_encoded_words_and_encoded_parts() -> None:
    mail = replace(
        MAIL,
        from_name="Ålice Ünïcode",
        subject="Grüße 🐧 " * 20,
        text="Zürich\n" + "ж" * 400 + "\n",
        html="<p>" + "naïve " * 300 + "</p>",
        to_address="bob@müller.example",
    )

    raw = compose(mail)

    message = read(raw)
    assert raw.isascii()
    assert message["From"] == "Ålice Ünïcode <alice@acme.example>"
    assert message["Subject"] == ("Grüße 🐧 " * 20).strip()
    assert message["To"] == "bob@xn--mller-kva.example"
    assert part(message, "plain") == mail.text
    assert part(message, "html") == f"{mail.html}\n"
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("name", ['Acme, "Inc." <x>', "a\\b", "Bob (sales)", "x@y", "A. B: C;"])
def test_a_display_name_with_specials_stays_one_address(name: str) -> None:
    message = read(compose(replace(MAIL, from_name=name)))

    addresses = message["From"].addresses
    assert [(each.display_name, each.addr_spec) for each in addresses] == [(name, "alice@acme.example")]


def test_a_long_ascii_subject_is_folded_and_unfolds_to_itself() -> None:
    subject = "word  two " * 40 + "w" * 200

    raw = compose(replace(MAIL, subject=subject))

    assert raw.split(b"\r\nDate:")[0].partition(b"Subject: ")[2].replace(b"\r\n", b"").decode() == subject
    assert b"\r\n \r\n" not in raw


INJECTIONS = [
    "x\r\nBcc: eve@evil.example",
    "x\nBcc: eve@evil.example",
    "x\rBcc: eve@evil.example",
    "=?utf-8?q?a=0d=0aBcc:_x?=",
    "=?UTF-8?B?YQ0KQmNjOiB4?=",
    "a\x00b",
    "a\x0bb",
    "a\x85Bcc: x",
    "a\u2028Bcc: x",
    "a\ud800b",
    "a\x7fb",
]
HEADER_FIELDS = ["subject", "from_name", "to_name", "from_address", "to_address", "reply_to", "message_id"]


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("field", HEADER_FIELDS)
def test_no_header_field_takes_a_value_that_would_inject(field: str, value: str) -> None:
    changed: dict[str, Any] = {field: f"{value}@acme.example" if "address" in field else value}

    with pytest.raises(UnsafeHeader) as caught:
        compose(replace(MAIL, **changed))

    first, *rest = field.split("_")
    assert caught.value.path == (first + "".join(word.title() for word in rest),)


@pytest.mark.parametrize("value", INJECTIONS)
def test_no_unsubscribe_or_extra_header_takes_a_value_that_would_inject(value: str) -> None:
    for mail in (
        replace(MAIL, unsubscribe=Unsubscribe(f"https://acme.example/{value}")),
        replace(MAIL, unsubscribe=Unsubscribe("https://acme.example/u", f"{value}@acme.example")),
        replace(MAIL, headers=(("X-Campaign", value),)),
        replace(MAIL, headers=((value, "x"),)),
    ):
        with pytest.raises(UnsafeHeader):
            compose(mail)


@pytest.mark.parametrize("name", ["Bcc", "From", "DKIM-Signature", "X-", "X-a b", "x:y", "Subject"])
def test_only_harmless_headers_can_be_added(name: str) -> None:
    with pytest.raises(UnsafeHeader) as caught:
        compose(replace(MAIL, headers=((name, "1"),)))

    assert caught.value.path == ("headers", name)


def test_an_extra_header_is_there_once() -> None:
    message = read(compose(replace(MAIL, headers=(("Feedback-ID", "c1:acme"), ("X-Campaign", "c1")))))

    assert message.get_all("Feedback-ID") == ["c1:acme"]
    assert message.get_all("X-Campaign") == ["c1"]


@pytest.mark.parametrize(
    "address",
    [
        *("", "bob", "@x.example", "bob@", "bob@-x.example", "b b@x.example", '"b b"@x.example', "jürgen@x.example"),
        *(
            "a..b@x.example",
            "bob@x..example",
            "b" * 65 + "@x.example",
            "bob@x.example\n",
            "bob@" + "x" * 64 + ".example",
        ),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UnsafeHeader) as caught:
        compose(replace(MAIL, to_address=address))

    assert caught.value.path == ("toAddress",)


@pytest.mark.parametrize("field", ["text", "html"])
@pytest.mark.parametrize("value", ["a\x00b", "a\ud800b", "a\x1bb"])
def test_a_body_with_control_characters_is_refused(field: str, value: str) -> None:
    changed: dict[str, Any] = {field: value}

    with pytest.raises(UnsendableText) as caught:
        compose(replace(MAIL, **changed))

    assert caught.value.path == (field,)


def test_a_mail_without_a_body_or_with_a_giant_one_is_refused() -> None:
    with pytest.raises(UnsendableText):
        compose(replace(MAIL, text=None, html=None))
    with pytest.raises(TextTooLarge):
        compose(replace(MAIL, text="x" * 1_000_001))


def test_a_date_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        compose(replace(MAIL, date=datetime(2026, 3, 1)))  # noqa: DTZ001
    raw = compose(replace(MAIL, date=datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=2)))))
    assert b"Date: Sun, 01 Mar 2026 00:00:00 +0200\r\n" in raw


@pytest.mark.parametrize(
    "body", ["a\n.\r\nb", "a\r.\rb", "a\n.\nb", ".\n..\n", "x\r\n.\r\nMAIL FROM:<a@b>\r\n", "From me\n"]
)
def test_line_ends_and_dots_of_a_body_become_crlf_and_keep_their_meaning(body: str) -> None:
    raw = compose(replace(MAIL, text=body, html=None))

    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\r\nFrom me" not in raw
    expected = body.replace("\r\n", "\n").replace("\r", "\n")
    assert part(read(raw), "plain") == expected.removesuffix("\n") + "\n"


def test_lines_of_any_length_stay_under_998_bytes() -> None:
    raw = compose(replace(MAIL, text="x" * 5_000, html="<p>" + "y" * 5_000 + "</p>"))

    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert part(read(raw), "plain") == "x" * 5_000 + "\n"


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_sent_as_it_is_or_refused(text: str, subject: str, name: str) -> None:
    try:
        raw = compose(replace(MAIL, text=text, subject=subject, from_name=name, html="<b>x</b>"))
    except DomainError:
        return

    message = read(raw)
    assert message.keys() == NAMES
    assert part(message, "plain") == text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n") + "\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"Subject: A question", b"Subject: A question\r\nBcc: eve@evil.example"),
        lambda raw: raw.replace(b"Subject: A question", b"Subject: A question\r\n\r\nbody"),
        lambda raw: raw.replace(b"Subject: A question", b"Subject: A\nquestion"),
        lambda raw: raw.replace(b"Subject: A question", b"Subject: A\rquestion"),
        lambda raw: raw.replace(b"question", b"quest\x00ion"),
        lambda raw: raw.replace(b"question", b"quest\xffion"),
        lambda raw: raw.replace(b"Subject: A question", b"no header"),
        lambda raw: raw.replace(b"Subject: A question", b"Subject: A question\r\n "),
        lambda raw: b" " + raw,
        lambda raw: raw + b"x" * 999 + b"\r\n",
        lambda raw: raw + b"x",
        lambda raw: raw.replace(b"\r\n\r\n", b"\r\n"),
    ],
)
def test_the_last_look_refuses_every_broken_mail(change: object) -> None:
    raw = compose(replace(MAIL, html=None))
    names = [*NAMES, "Content-Transfer-Encoding"]
    check_finished(raw, names=names)

    assert callable(change)
    with pytest.raises(BrokenMail):
        check_finished(change(raw), names=names)
