"""A server that a request needs is away: said in words, for doors that can say so (503), instead of failing as a defect."""

from collections.abc import Iterator
from contextlib import contextmanager

from db.core.outages import AWAY_ERRORS


class Away(Exception):
    """Nothing is wrong with the request. The message says what to do; the cause is for the log."""


def is_away(error: BaseException) -> bool:
    """Whether an operation failed because a server of ours is away, as its own exception says.

    A use case touches no network but through transactions, so an OSError in it is theirs. A value that the driver refuses
    (a ValueError, although it is an InterfaceError too) is a defect.
    """
    return isinstance(error, (Away, *AWAY_ERRORS)) and not isinstance(error, ValueError)


@contextmanager
def away_said(sentence: str) -> Iterator[None]:
    """Around one transaction and nothing else: an OSError of anything else is another story. Raises Away."""
    try:
        yield
    except AWAY_ERRORS as error:
        raise Away(sentence) from error
