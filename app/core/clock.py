"""One virtual clock for API, relay, workers and sandbox: real time, or time that starts elsewhere and runs faster."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """`now()` = start + (real time since epoch_at) x speed. Every process with the same settings reads the same moment."""

    def __init__(self, start: datetime | None = None, *, speed: float = 1.0, epoch_at: float | None = None) -> None:
        if speed <= 0:
            raise ValueError("a clock runs forward: its speed must be over 0")
        self._start = start
        self._speed = speed
        self._epoch_at = time.time() if epoch_at is None else epoch_at

    def now(self) -> datetime:
        """The moment, aware, in UTC."""
        if self._start is None:
            return datetime.now(UTC)
        return self._start + timedelta(seconds=(time.time() - self._epoch_at) * self._speed)

    def after(self, real_seconds: float) -> datetime:
        """What this clock will show in `real_seconds` of real time: for leases, which guard work that takes real time."""
        return self.now() + timedelta(seconds=real_seconds * (self._speed if self._start is not None else 1.0))

    async def sleep(self, seconds: float) -> None:
        """Sleeps `seconds` of this clock's time."""
        await asyncio.sleep(seconds / self._speed if self._start is not None else seconds)


class FixedClock(Clock):
    """A clock that stands until it is moved: for tests and simulations of decisions over time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._at = at

    def now(self) -> datetime:
        return self._at

    def move(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
