"""Addresses of people: syntax by email-validator, no DNS, and one key per mailbox however its case is written."""

import re
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from app.core.errors import Invalid

_LONGEST = 254  # RFC 5321, errata 1690
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
_SHOWN = 80
_DOT_ATOM = re.compile(r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*\Z")  # RFC 5322, 3.2.3


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """`address` as it is sent to (domain in A-labels, lower case); `key` is equal for every spelling of one mailbox."""

    address: str
    key: str


class InvalidEmailAddress(Invalid):
    """The text is no address that mail can be sent to; the message says why."""


def normalise_address(text: str) -> EmailAddress:
    """Raises InvalidEmailAddress. Names in `.example` pass; `.test`, `.invalid`, `localhost` and bare hosts do not."""
    written = text.strip()
    local, found, domain = written.rpartition("@")
    if not found:
        raise InvalidEmailAddress(f"“{_shown(written)}” is not an e-mail address: it has no @-sign.")
    if len(local) > _LONGEST_LOCAL or _DOT_ATOM.match(local) is None:
        _refuse(written)
    try:
        domain = _a_labels(domain)
    except EmailNotValidError as error:
        raise InvalidEmailAddress(_sentence(written, error)) from error
    address = f"{local}@{domain}"
    if len(address) > _LONGEST:
        raise InvalidEmailAddress(
            f"“{_shown(written)}” is not an e-mail address: it is longer than {_LONGEST} characters."
        )
    return EmailAddress(address, address.lower())


@lru_cache(maxsize=65_536)
def _a_labels(domain: str) -> str:
    """The domain as it travels (RFC 5891). A list's addresses share few domains, so each is checked once."""
    checked = validate_email(f"a@{domain}", check_deliverability=False, allow_smtputf8=False)
    return checked.ascii_domain


def _refuse(written: str) -> None:
    """Finds the library's words for an address whose local part is wrong."""
    try:
        validate_email(written, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        raise InvalidEmailAddress(_sentence(written, error)) from error
    raise InvalidEmailAddress(f"“{_shown(written)}” is not an e-mail address that can be sent to.")


def _sentence(written: str, error: EmailNotValidError) -> str:
    return f"“{_shown(written)}” is not an e-mail address: {error}"


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
