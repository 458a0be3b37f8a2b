"""Messages per second over the last ten seconds, from counts by windows: no list of moments is kept."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

RATE_WINDOW_SECONDS = 10


class SentByWindow(Protocol):
    """`sent` in the window `number`, `before` in the window before it."""

    @property
    def number(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def before(self) -> int: ...


def window_number(moment: datetime) -> int:
    return int(moment.timestamp() // RATE_WINDOW_SECONDS)


def sent_per_second(lanes: Iterable[SentByWindow], now: datetime) -> float:
    """The sliding mean: the current window, and of the one before it the share that is not yet ten seconds old."""
    this = window_number(now)
    older_share = 1 - (now.timestamp() % RATE_WINDOW_SECONDS) / RATE_WINDOW_SECONDS
    total = 0.0
    for lane in lanes:
        if lane.number == this:
            total += lane.sent + lane.before * older_share
        elif lane.number == this - 1:
            total += lane.sent * older_share
    return total / RATE_WINDOW_SECONDS
