"""One clock for every process: real, or virtual with a start and a speed that all of them agree on."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from app.core.clock import Clock, FixedClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_virtual_clock_runs_at_its_speed_from_its_start() -> None:
    hour_ago = time.time() - 3600
    fast = Clock(START, speed=24, epoch_at=hour_ago)

    assert abs(fast.now() - (START + timedelta(hours=24))) < timedelta(minutes=5)


async def test_sleeping_takes_virtual_seconds() -> None:
    began = time.monotonic()

    await Clock(START, speed=1000).sleep(50)

    assert 0.04 < time.monotonic() - began < 5


def test_the_real_clock_is_aware_and_now() -> None:
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_fixed_clock_moves_when_it_is_moved() -> None:
    clock = FixedClock(START)
    clock.move(90)

    assert clock.now() == START + timedelta(seconds=90)


def test_time_does_not_run_backward() -> None:
    with pytest.raises(ValueError, match="over 0"):
        Clock(START, speed=0)
