"""How long a failed job waits, when it stops, and what is said of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid, Problems
from app.jobs.errors import PermanentFailure
from app.jobs.rules.retrying import describe, outcome_of_failure, retry_delay_seconds
from app.jobs.states import JobState

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_each_wait_doubles_up_to_the_cap() -> None:
    waits = [
        retry_delay_seconds(attempt, base_seconds=2, cap_seconds=30, jitter=0) for attempt in (1, 2, 3, 4, 5, 6, 1000)
    ]

    assert waits == [2, 4, 8, 16, 30, 30, 30]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_jitter_takes_away_at_most_half(attempt: int, jitter: float) -> None:
    longest = retry_delay_seconds(attempt, base_seconds=2, cap_seconds=300, jitter=0)

    assert longest / 2 <= retry_delay_seconds(attempt, base_seconds=2, cap_seconds=300, jitter=jitter) <= longest


@pytest.mark.parametrize(
    ("error", "left", "state"),
    [
        (RuntimeError("x"), 1, JobState.RETRY_SCHEDULED),
        (RuntimeError("x"), 0, JobState.DEAD),
        (TimeoutError(), 3, JobState.RETRY_SCHEDULED),
        (PermanentFailure("x"), 3, JobState.DEAD),
        (Invalid("x"), 3, JobState.DEAD),
        (Problems([Invalid("x"), Invalid("y")]), 3, JobState.DEAD),
    ],
)
def test_a_failure_ends_dead_or_waits(error: Exception, left: int, state: JobState) -> None:
    outcome = outcome_of_failure(error, attempts_left=left, delay_seconds=7, now=NOW)

    assert outcome.state is state
    assert outcome.due_at == (NOW + timedelta(seconds=7) if state is JobState.RETRY_SCHEDULED else None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermanentFailure("The card was refused."), "The card was refused."),
        (Problems([Invalid("One."), Invalid("Two.")]), "One.; Two."),
        (KeyError("x"), "KeyError: 'x'"),
        (TimeoutError(), "The job ran longer than its timeout."),
        (ValueError("a\x00b"), "ValueError: ab"),
    ],
)
def test_a_person_reads_why(error: Exception, words: str) -> None:
    assert describe(error) == words


def test_a_very_long_reason_is_cut() -> None:
    assert len(describe(ValueError("x" * 100_000))) == 2000
    assert len(describe(PermanentFailure("x" * 100_000))) == 2000
