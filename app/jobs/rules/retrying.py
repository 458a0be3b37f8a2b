"""What happens to a job whose run failed: wait longer each time, up to a cap, then stop."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.errors import DomainError
from app.jobs.errors import PermanentFailure
from app.jobs.states import JobState

ERROR_LIMIT = 2000
_LONGEST_DOUBLING = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state that a run ends in; `due_at` is set when the job waits for another attempt."""

    state: JobState
    due_at: datetime | None = None
    error: str | None = None


def retry_delay_seconds(attempt: int, *, base_seconds: float, cap_seconds: float, jitter: float) -> float:
    """Doubles with each attempt (1, 2, ...) up to the cap; `jitter` in 0..1 takes away up to half, so that herds spread."""
    longest = min(cap_seconds, base_seconds * 2.0 ** min(attempt - 1, _LONGEST_DOUBLING))
    return longest * (1 - jitter / 2)


def is_permanent(error: BaseException) -> bool:
    """A refusal of the domain stays one, however often it is asked for."""
    return isinstance(error, PermanentFailure | DomainError)


def describe(error: BaseException) -> str:
    """For the person who looks at the job: the sentence itself, or what broke and how."""
    if is_permanent(error):
        return str(error)[:ERROR_LIMIT]
    if isinstance(error, TimeoutError) and not str(error):
        return "The job ran longer than its timeout."
    return f"{type(error).__name__}: {error}"[:ERROR_LIMIT].replace("\x00", "")


def outcome_of_failure(error: BaseException, *, attempts_left: int, delay_seconds: float, now: datetime) -> Outcome:
    """Dead when trying again is of no use or was tried often enough, else due again after the delay."""
    if is_permanent(error) or attempts_left <= 0:
        return Outcome(JobState.DEAD, error=describe(error))
    return Outcome(JobState.RETRY_SCHEDULED, due_at=now + timedelta(seconds=delay_seconds), error=describe(error))
