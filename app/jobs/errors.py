"""How a handler says that trying again is of no use, and what a person can do wrong with jobs."""

from app.core.errors import WrongState


class PermanentFailure(Exception):
    """No later attempt can succeed: the job is dead at once, with this sentence for the person who looks at it."""


class LeaseLost(Exception):
    """The run's lease went to another worker: whatever this one still wants to record is refused."""


class JobNotDead(WrongState):
    """Only a dead job is started again by a person."""

    def __init__(self, state: str) -> None:
        super().__init__(f"Only a dead job can be retried; this one is {state.replace('_', ' ')}.", ("input", "jobId"))
