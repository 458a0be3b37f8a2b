"""The fields of a contact: four that every contact has, and those that a workspace makes up; with their limits."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from app.core.errors import DomainError, Invalid, LimitReached, Problems, Required, TooLong
from app.outreach.rules.email_addresses import EmailAddress, normalise_address


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STANDARD_FIELDS = ("email", "first_name", "last_name", "company")
LONGEST_STANDARD = 200
LONGEST_NAME = 50
LONGEST_VALUE = 2_000
MOST_CUSTOM_FIELDS = 50

_GIVEN_BY_SENDING = frozenset({"sender_name", "sender_email", "postal_address", "unsubscribe_url"})
ALWAYS_THERE = _GIVEN_BY_SENDING | {"email"}
_WORDS_OF_LIQUID = frozenset(
    _words(
        "true false nil null empty blank and or not contains in with for as if else cols limit offset reversed forloop required"
    )
)
_NOT_IN_NAMES = re.compile(r"[^\w]+")
_NAME = re.compile(r"[^\W\d_]\w*\Z")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_PATHS = MappingProxyType({"email": "email", "first_name": "firstName", "last_name": "lastName", "company": "company"})


_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


class ContactValues(NamedTuple):
    """A contact's checked values: white space at the ends removed, blank custom fields left out."""

    email: EmailAddress
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    fields: Mapping[str, str] = _NO_FIELDS


def contact_values(raw: Mapping[str, str]) -> ContactValues:
    """From field name to text, standard and custom alike. Raises Problems, one for each wrong field."""
    cleaned: dict[str, str] = {}
    problems: list[DomainError] = []
    address: EmailAddress | None = None
    for name, text in raw.items():
        try:
            if name == "email":
                address = _address(text)
            elif value := checked_value(name, text):
                cleaned[name] = value
        except DomainError as error:
            problems.append(error)
    if address is None and not problems:
        problems.append(Required("The contact has no e-mail address.", ("input", "email")))
    first, last, company = (cleaned.pop(name, "") for name in STANDARD_FIELDS[1:])
    if len(cleaned) > MOST_CUSTOM_FIELDS:
        problems.append(LimitReached(f"A contact has at most {MOST_CUSTOM_FIELDS} custom fields.", ("input", "fields")))
    if problems:
        raise Problems(problems)
    assert address is not None
    return ContactValues(address, first, last, company, cleaned)


def _address(text: str) -> EmailAddress:
    if not text.strip():
        raise Required("The contact has no e-mail address.", ("input", "email"))
    try:
        return normalise_address(text)
    except Invalid as error:
        raise Invalid(error.message, ("input", "email")) from error


def checked_value(name: str, text: str) -> str:
    """The cleaned text of one field other than the address; names and company lose line breaks. Raises TooLong, Invalid."""
    value = text.strip()
    if not value:
        return ""
    path = ("input", _PATHS[name]) if name in _PATHS else ("input", "fields", name)
    standard = name in _PATHS
    if standard and ("\n" in value or "\r" in value):
        value = _LINE_BREAKS.sub(" ", value)
    longest = LONGEST_STANDARD if standard else LONGEST_VALUE
    if len(value) > longest:
        raise TooLong(f"The field {name} is longer than {longest:,} characters.", path)
    if not value.isprintable() and _CONTROLS.search(value):
        raise Invalid(f"The field {name} has control characters.", path)
    return value


def custom_field_name(header: str) -> str:
    """A merge field's name from a column's header: `Job Title` -> `job_title`, `2nd line` -> `field_2nd_line`."""
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFKC", header).strip().lower())[:LONGEST_NAME].strip("_")
    if not name:
        return "field"
    if not (name[0].isalpha()) or _taken(name):
        name = f"field_{name}"[:LONGEST_NAME].rstrip("_")
    return name


def check_custom_names(names: Iterable[str]) -> None:
    """For names that a person typed. Raises Problems."""
    problems: list[DomainError] = []
    for name in names:
        path = ("input", "fields", name[:LONGEST_NAME])
        if len(name) > LONGEST_NAME:
            problems.append(TooLong(f"A field's name has at most {LONGEST_NAME} characters.", path))
        elif _NAME.match(name) is None or name != name.lower():
            problems.append(
                Invalid(
                    f"“{name}” cannot name a field: use small letters, digits and _, and begin with a letter.", path
                )
            )
        elif _taken(name):
            problems.append(Invalid(f"“{name}” cannot name a custom field: it has a meaning of its own.", path))
    if problems:
        raise Problems(problems)


def _taken(name: str) -> bool:
    return name in STANDARD_FIELDS or name in _GIVEN_BY_SENDING or name in _WORDS_OF_LIQUID


def merge_fields(
    *, email: str, first_name: str, last_name: str, company: str, fields: Mapping[str, str]
) -> dict[str, object]:
    """What templates may print of a contact, by name."""
    return {**fields, "email": email, "first_name": first_name, "last_name": last_name, "company": company}
