"""From the parts of a mail to its finished bytes (RFC 5322, RFC 2045), always the same bytes for the same parts."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256

from app.core.errors import DomainError, ErrorCode
from app.outreach.rules.header_safety import (
    BrokenMail,
    UnsafeHeader,
    address_line,
    ascii_address,
    check_finished,
    text_line,
)
from app.outreach.rules.html_text import text_from_html
from app.outreach.rules.unsubscribe_headers import Unsubscribe, unsubscribe_lines

LONGEST_BODY = 1_000_000
_EXTRA_NAMES = re.compile(
    r"X-[A-Za-z0-9-]{1,60}|Feedback-ID|Auto-Submitted|Precedence|In-Reply-To|References", re.ASCII
)
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,200}@[A-Za-z0-9.-]{1,253}>")
_FORBIDDEN_IN_BODY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_FORBIDDEN_BYTES = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
_LONGEST_PLAIN_LINE = 76


class UnsendableText(DomainError):
    """A body that cannot be sent as it is; `path` names the part."""


class TextTooLarge(UnsendableText):
    code = ErrorCode.TOO_LARGE


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail to one recipient. `date` is aware. At least one of `text` and `html` is there.

    `headers` may add X-..., Feedback-ID, Auto-Submitted, Precedence, In-Reply-To and References.
    """

    message_id: str
    date: datetime
    from_address: str
    from_name: str
    to_address: str
    subject: str
    text: str | None = None
    html: str | None = None
    unsubscribe: Unsubscribe | None = None
    to_name: str = ""
    reply_to: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def compose(mail: OutgoingMail) -> bytes:
    """The finished mail: CRLF, ASCII, lines of at most 998 bytes, exactly the headers asked for.

    The same `mail` gives the same bytes for good. Raises UnsafeHeader or UnsendableText, whose path names the field.
    """
    text, html = _bodies(mail)
    lines = _header_lines(mail)
    if html is None:
        assert text is not None
        head, body = _part("plain", text)
    else:
        parts = [_part("plain", text_from_html(html) if text is None else text), _part("html", html)]
        boundary = "=_" + sha256(mail.message_id.encode()).hexdigest()[:32]
        head, body = _alternative(parts, boundary)
    raw = "\r\n".join([*lines, "MIME-Version: 1.0", *head, "", ""]).encode("ascii") + body
    names = [line.partition(":")[0] for line in lines]
    check_finished(raw, names=[*names, "MIME-Version", *(line.partition(":")[0] for line in head)])
    return raw


def _header_lines(mail: OutgoingMail) -> list[str]:
    if _MESSAGE_ID.fullmatch(mail.message_id) is None:
        raise UnsafeHeader(f"The messageId is not one: {mail.message_id!r}.", ("messageId",))
    if mail.date.tzinfo is None:
        raise ValueError("a mail's date needs its time zone")
    from_address = ascii_address(mail.from_address, field="fromAddress")
    to_address = ascii_address(mail.to_address, field="toAddress")
    lines = [
        address_line("From", phrase=mail.from_name, address=from_address, field="fromName"),
        address_line("To", phrase=mail.to_name, address=to_address, field="toName"),
        text_line("Subject", mail.subject, field="subject"),
        f"Date: {format_datetime(mail.date)}",
        f"Message-ID: {mail.message_id}",
    ]
    if mail.reply_to is not None:
        lines.append(f"Reply-To: {ascii_address(mail.reply_to, field='replyTo')}")
    if mail.unsubscribe is not None:
        lines += unsubscribe_lines(mail.unsubscribe)
    for name, value in mail.headers:
        if _EXTRA_NAMES.fullmatch(name) is None:
            raise UnsafeHeader(f"The header {name!r} cannot be added to a mail.", ("headers", name))
        lines.append(text_line(name, value, field=name))
    return lines


def _bodies(mail: OutgoingMail) -> tuple[str | None, str | None]:
    if mail.text is None and mail.html is None:
        raise UnsendableText("The mail has neither a text nor an HTML part: give one.", ("text",))
    for field, body in (("text", mail.text), ("html", mail.html)):
        if body is None:
            continue
        if len(body) > LONGEST_BODY:
            raise TextTooLarge(f"The {field} part is longer than {LONGEST_BODY} characters.", (field,))
        _check_body(body, field)
    return mail.text, mail.html


def _check_body(body: str, field: str) -> None:
    """Raises UnsendableText. Looks at bytes first, since a search through characters costs as much as all the rest."""
    data = body.encode("utf-8", "surrogatepass")
    if data.isascii() and len(data.translate(None, _FORBIDDEN_BYTES)) == len(data):
        return
    found = _FORBIDDEN_IN_BODY.search(body)
    if found is not None:
        character = f"U+{ord(found[0]):04X}"
        raise UnsendableText(f"The {field} part contains the control character {character}: remove it.", (field,))


def _part(subtype: str, body: str) -> tuple[list[str], bytes]:
    """Header lines and encoded bytes of one text part. The encoding is the plainest that is safe on every way."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    if not lines.endswith("\n"):
        lines += "\n"
    data = lines.encode("utf-8")
    charset = "us-ascii" if lines.isascii() else "utf-8"
    has_from_line = data.startswith(b"From ") or b"\nFrom " in data
    if lines.isascii() and max(map(len, lines.split("\n"))) <= _LONGEST_PLAIN_LINE and not has_from_line:
        encoding, encoded = "7bit", data
    elif len(data) > 1.5 * len(lines):
        encoding, encoded = "base64", base64.encodebytes(lines.replace("\n", "\r\n").encode("utf-8"))
    else:
        encoding, encoded = "quoted-printable", binascii.b2a_qp(data, istext=True)
        encoded = (b"\n" + encoded).replace(b"\nFrom ", b"\n=46rom ")[1:]
    head = [
        f'Content-Type: text/{subtype}; charset="{charset}"',
        f"Content-Transfer-Encoding: {encoding}",
    ]
    return head, encoded.replace(b"\n", b"\r\n")


def _alternative(parts: list[tuple[list[str], bytes]], boundary: str) -> tuple[list[str], bytes]:
    """multipart/alternative, plainest part first; the line end before a delimiter belongs to it (RFC 2046, 5.1)."""
    delimiter = f"--{boundary}".encode("ascii")
    if any(delimiter in body for _, body in parts):
        raise BrokenMail("a part of the mail contains its boundary")
    body = b"".join(
        delimiter + b"\r\n" + "\r\n".join([*head, "", ""]).encode("ascii") + encoded + b"\r\n"
        for head, encoded in parts
    )
    return [f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"'], body + delimiter + b"--\r\n"
