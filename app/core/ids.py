"""Ids are UUIDv7 (RFC 9562, section 5.7), made here: they sort by the time they were made."""

from uuid import UUID

from uuid_utils.compat import uuid7

NIL = UUID(int=0)


def new_id() -> UUID:
    """A new id, greater than every earlier one of this process."""
    return uuid7()
