"""The states of a message in the ledger, how a try ends, and which count each state belongs to."""

from enum import StrEnum


class MessageState(StrEnum):
    """planned -> queued -> claimed -> submitting -> one of the rest; deferred waits to be tried again."""

    PLANNED = "planned"
    QUEUED = "queued"
    CLAIMED = "claimed"
    SUBMITTING = "submitting"
    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    CANCELLED = "cancelled"


WAITING = frozenset({MessageState.PLANNED, MessageState.QUEUED, MessageState.DEFERRED})
SETTLED = frozenset({MessageState.SENT, MessageState.BOUNCED, MessageState.FAILED, MessageState.CANCELLED})


class Count(StrEnum):
    """The columns of campaign_counts. `queued` holds a message from planning until it settles or is deferred."""

    WAITING = "waiting"
    QUEUED = "queued"
    DEFERRED = "deferred"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"


def count_of(state: MessageState, *, suppressed: bool = False) -> Count:
    """Where a message of this state is counted; a message cancelled by a suppression counts as suppressed."""
    if state is MessageState.CANCELLED and suppressed:
        return Count.SUPPRESSED
    if state in (MessageState.PLANNED, MessageState.QUEUED, MessageState.CLAIMED, MessageState.SUBMITTING):
        return Count.QUEUED
    return Count(state.value)


class AttemptOutcome(StrEnum):
    """How one try ended, in the message's story."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    FAILED = "failed"
    PUT_BACK = "put_back"
    IN_DOUBT = "in_doubt"
    RESOLVED_SENT = "resolved_sent"
    RESOLVED_NOT_SENT = "resolved_not_sent"


class InDoubtOutcome(StrEnum):
    """What a person, or evidence, says became of a message in doubt."""

    SENT = "sent"
    NOT_SENT = "not_sent"


class EnrollmentState(StrEnum):
    """Where a contact stands in a campaign."""

    WAITING = "waiting"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    STOPPED = "stopped"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"


def enrollment_after(state: MessageState, *, suppressed: bool = False) -> EnrollmentState:
    """What the enrollment becomes when its message reaches `state` and no further step follows.

    A message in doubt, or waiting, keeps its enrollment in progress: only what is certain moves a contact on.
    """
    if state is MessageState.SENT:
        return EnrollmentState.COMPLETED
    if state in (MessageState.BOUNCED, MessageState.FAILED):
        return EnrollmentState.STOPPED
    if state is MessageState.CANCELLED:
        return EnrollmentState.SUPPRESSED if suppressed else EnrollmentState.CANCELLED
    return EnrollmentState.IN_PROGRESS
