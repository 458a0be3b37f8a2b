"""A person's e-mail address: checked, and the key by which two spellings are one."""

import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from app.core.errors import Invalid, Required

LONGEST = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets


@dataclass(frozen=True, slots=True)
class Address:
    """`email` is shown and written to; `key` is unique: case-folded, its domain as ASCII (RFC 5890)."""

    email: str
    key: str


def read_address(text: str, path: tuple[str, ...] = ("input", "email")) -> Address:
    """Raises Required, Invalid. Asks no DNS: whether mail arrives is for the verification mail to say."""
    stripped = text.strip()
    if not stripped:
        raise Required("Give an e-mail address.", path)
    if len(stripped) > LONGEST:
        raise Invalid("This e-mail address is too long to exist.", path)
    if "=?" in stripped:  # an encoded word (RFC 2047) in a header could carry line ends
        raise Invalid("An e-mail address cannot hold `=?`.", path)
    try:
        checked = validate_email(stripped, check_deliverability=False)
    except EmailNotValidError as error:
        raise Invalid(f"This is no e-mail address that mail can be sent to: {error}", path) from error
    return Address(checked.normalized, _key(checked.local_part, checked.ascii_domain))


def address_key(text: str) -> str:
    """The key to look a typed address up by; something for every text, so that wrong ones are just not found."""
    try:
        return read_address(text).key
    except (Invalid, Required):
        return f"?{unicodedata.normalize('NFKC', text).casefold()[:LONGEST]}"


def _key(local_part: str, ascii_domain: str) -> str:
    return f"{unicodedata.normalize('NFKC', local_part).casefold()}@{ascii_domain.lower()}"
