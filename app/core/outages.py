"""A server that a request needs is away: said in words, for doors that can say so (503), instead of failing as a defect."""

from collections.abc import Iterator
from contextlib import contextmanager

from db.core.outages import AWAY_ERRORS


class Away(Exception):
    """Nothing is wrong with the request. The message says what to do; the cause is for the log."""


@contextmanager
def away_said(sentence: str) -> Iterator[None]:
    """Around one transaction and nothing else: an OSError of anything else is another story. Raises Away."""
    try:
        yield
    except AWAY_ERRORS as error:
        raise Away(sentence) from error
