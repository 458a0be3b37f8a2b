"""Ids are UUIDv7 (RFC 9562, section 5.7), made here: they sort by the time they were made."""

from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7

NIL = UUID(int=0)


def new_id() -> UUID:
    """A new id, greater than every earlier one of this process."""
    return uuid7()


def new_ids_as_text(count: int) -> list[str]:
    """Many ids at once, ascending. As text each costs a tenth of a UUID, which counts by the million."""
    return [str(uuid_utils.uuid7()) for _ in range(count)]
