"""Addresses of people: syntax by email-validator, no DNS, and one key per mailbox however its case is written."""

import re
from functools import lru_cache
from typing import NamedTuple

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from app.core.errors import Invalid

_LONGEST = 254  # RFC 5321, errata 1690
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
_LONGEST_DOMAIN = 253  # RFC 1035, 2.3.4
_SHOWN = 80
_DOT_ATOM = re.compile(r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*\Z")  # RFC 5322, 3.2.3
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"  # RFC 1035, 2.3.1
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)+({_LABEL})(?<=[a-zA-Z])\Z")
_RESERVED_ENDS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


class EmailAddress(NamedTuple):
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


@lru_cache(maxsize=8_192)
def _a_labels(domain: str) -> str:
    """The domain as it travels (RFC 5891). Plain host names take a short way, of which a test proves that it ends where
    the library's does; what has `--` in it may be an A-label, and is the library's.
    """
    plain = _HOST_NAME.match(domain) if len(domain) <= _LONGEST_DOMAIN and "--" not in domain else None
    if plain is not None and plain[1].lower() not in _RESERVED_ENDS:
        return domain.lower()
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
