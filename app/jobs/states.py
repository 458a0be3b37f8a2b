"""Where a job stands."""

from enum import StrEnum


class JobState(StrEnum):
    """queued -> dispatched -> running -> completed | retry_scheduled | dead."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    COMPLETED = "completed"
    RETRY_SCHEDULED = "retry_scheduled"
    DEAD = "dead"
