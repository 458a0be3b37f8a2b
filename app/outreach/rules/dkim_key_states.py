"""The states of a DKIM key, and the name of the next selector."""

from datetime import date
from enum import StrEnum
from uuid import UUID


class DkimKeyState(StrEnum):
    """pending until its TXT record is published; one key per domain is active; a retired one has lost its private half."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"


def selector_for(key_id: UUID, on: date) -> str:
    """Such as `pm20261124-3f9a1c`: readable, and never used twice, so that two keys can overlap."""
    return f"pm{on:%Y%m%d}-{key_id.hex[-6:]}"


def record_name(selector: str, domain: str) -> str:
    """Where the TXT record stands (RFC 6376, section 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"
