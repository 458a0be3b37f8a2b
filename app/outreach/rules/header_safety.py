"""What may stand in a mail's header: values from tenants that cannot inject, and a last look at the finished lines."""

import re
from collections.abc import Sequence
from email.header import Header

import idna

from app.core.errors import DomainError, ErrorCode

LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64
LONGEST_LINE = 998
LONGEST_VALUE = 800

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATOM_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_HEADER_LINE = re.compile(rb"([!-9;-~]+):[ \t]")
_FOLD_AT = re.compile(r"(?<=\S) (?=\S)")


class UnsafeHeader(DomainError):
    """A value that would change the mail's header, or cannot stand in one; `path` names the field."""


class HeaderTooLong(UnsafeHeader):
    code = ErrorCode.TOO_LONG


class BrokenMail(Exception):
    """Finished bytes that are not the mail that was composed: a fault of ours, and the mail must not leave."""


def check_value(value: str, *, field: str) -> str:
    """The value itself, when it may stand in a header line.

    Refuses C0 and C1 controls, NUL, line and paragraph separators, lone surrogates and `=?`, which readers take for
    the start of an encoded word (RFC 2047) that can hold a line end (CVE-2024-6923). Raises UnsafeHeader.
    """
    found = _FORBIDDEN.search(value)
    if found is not None:
        raise UnsafeHeader(f"The {field} contains the control character U+{ord(found[0]):04X}: remove it.", (field,))
    if "=?" in value:
        raise UnsafeHeader(f'The {field} contains "=?", which mail programs would decode: remove it.', (field,))
    if len(value) > LONGEST_VALUE:
        raise HeaderTooLong(f"The {field} is longer than {LONGEST_VALUE} characters.", (field,))
    return value


def ascii_domain(domain: str, *, field: str) -> str:
    """The domain in A-labels and lower case (RFC 5890). Raises UnsafeHeader."""
    try:
        name = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise UnsafeHeader(f"The {field} has a domain that cannot exist: {domain!r}.", (field,)) from error
    if _DOMAIN.fullmatch(name) is None:
        raise UnsafeHeader(f"The {field} has a domain that cannot exist: {domain!r}.", (field,))
    return name


def ascii_address(address: str, *, field: str) -> str:
    """The address as it travels in SMTP and headers: the local part as it is, the domain in A-labels.

    Quoted local parts and local parts beyond ASCII (RFC 6531) are refused: too few servers take them.
    Raises UnsafeHeader.
    """
    check_value(address, field=field)
    local, at, domain = address.rpartition("@")
    if not at or len(local) > LONGEST_LOCAL_PART or _LOCAL_PART.fullmatch(local) is None:
        raise UnsafeHeader(f"The {field} is not an address that mail can be sent to: {address!r}.", (field,))
    name = f"{local}@{ascii_domain(domain, field=field)}"
    if len(name) > LONGEST_ADDRESS:
        raise HeaderTooLong(f"The {field} is longer than {LONGEST_ADDRESS} characters.", (field,))
    return name


def text_line(name: str, value: str, *, field: str) -> str:
    """`Name: value`, folded near 78 characters, encoded words where the value is not ASCII. Raises UnsafeHeader."""
    check_value(value, field=field)
    if value.isascii():
        return _folded(f"{name}: {value.strip()}")
    return f"{name}: {_encoded(value.strip(), name)}"


def address_line(name: str, *, phrase: str, address: str, field: str) -> str:
    """`Name: phrase <address>`; the address must have come from ascii_address. Raises UnsafeHeader."""
    check_value(phrase, field=field)
    phrase = phrase.strip()
    if not phrase:
        return f"{name}: {address}"
    if not phrase.isascii():
        return f"{name}: {_encoded(phrase, name)}\r\n <{address}>"
    if _ATOM_PHRASE.fullmatch(phrase) is None:
        phrase = '"' + phrase.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _folded(f"{name}: {phrase} <{address}>")


def check_finished(raw: bytes, *, names: Sequence[str]) -> None:
    """Reads every line of the finished mail again. Raises BrokenMail.

    The header must hold exactly `names`, in this order; every line ends with CRLF, has at most 998 bytes and is ASCII
    (RFC 5322, section 2.1.1), and nothing is NUL.
    """
    head, found, _ = raw.partition(b"\r\n\r\n")
    if not found or not raw.endswith(b"\r\n"):
        raise BrokenMail("the mail has no end of header or no last line end")
    if b"\x00" in raw or not raw.isascii() or not raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n"):
        raise BrokenMail("the mail has a NUL, a byte beyond ASCII or a bare line end")
    if max(map(len, raw.split(b"\r\n"))) > LONGEST_LINE:
        raise BrokenMail(f"the mail has a line of more than {LONGEST_LINE} bytes")
    seen: list[str] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            if not seen or not line.strip():
                raise BrokenMail("the header has a continuation line that continues nothing")
            continue
        match = _HEADER_LINE.match(line)
        if match is None:
            raise BrokenMail(f"the header has a line that is none: {line[:80]!r}")
        seen.append(match[1].decode("ascii"))
    if seen != list(names):
        raise BrokenMail(f"the header holds {seen}, expected {list(names)}")


def _encoded(value: str, name: str) -> str:
    return Header(value, charset="utf-8", header_name=name, maxlinelen=75).encode(linesep="\r\n")


def _folded(line: str) -> str:
    """Folds at single blanks only, so that unfolding gives the very same text (RFC 5322, section 2.2.3)."""
    if len(line) <= 78:
        return line
    words = _FOLD_AT.split(line)
    lines = [" ".join(words[:2])]
    for word in words[2:]:
        if len(lines[-1]) + 1 + len(word) > 78:
            lines.append(" " + word)
        else:
            lines[-1] += " " + word
    return "\r\n".join(lines)
