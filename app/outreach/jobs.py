"""Outreach's durable work: ids only, each with the queue and patience that it needs."""

from dataclasses import dataclass
from uuid import UUID

from app.jobs.job import Job, Priority, job


@job("mailbox.test", queue="system", priority=Priority.HIGH, attempts=3, timeout_seconds=120)
@dataclass(frozen=True, slots=True)
class TestMailbox(Job):
    """Connects and signs in to a mailbox's server, and writes the verdict. Not for a test runner."""

    __test__ = False

    mailbox_id: UUID


@job("mailbox.send_due", queue="sending", attempts=8, timeout_seconds=600)
@dataclass(frozen=True, slots=True)
class SendDue(Job):
    """One mailbox sends what is due, mail by mail, under its lease."""

    mailbox_id: UUID


@job("mailbox.release_queue", queue="planning", attempts=8, timeout_seconds=120)
@dataclass(frozen=True, slots=True)
class ReleaseMailboxQueue(Job):
    """A mailbox that stopped gives its waiting mails back, for other mailboxes to take."""

    mailbox_id: UUID


@job("campaign.enroll", queue="planning", attempts=8, timeout_seconds=300)
@dataclass(frozen=True, slots=True)
class EnrollList(Job):
    """Enrols the next batch of the campaign's list."""

    campaign_id: UUID


@job("campaign.plan", queue="planning", attempts=8, timeout_seconds=120)
@dataclass(frozen=True, slots=True)
class PlanCampaign(Job):
    """Plans the messages of due enrollments, as far ahead as the mailboxes' caps allow."""

    campaign_id: UUID


@job("campaign.hold", queue="planning", priority=Priority.HIGH, attempts=8, timeout_seconds=120)
@dataclass(frozen=True, slots=True)
class HoldCampaign(Job):
    """A paused campaign takes its waiting mails out of the mailboxes' queues."""

    campaign_id: UUID


@job("campaign.cancel_waiting", queue="planning", priority=Priority.HIGH, attempts=8, timeout_seconds=120)
@dataclass(frozen=True, slots=True)
class CancelWaiting(Job):
    """A cancelled campaign cancels what has not left, batch by batch."""

    campaign_id: UUID


@job("contact_import.run", queue="imports", attempts=10, timeout_seconds=600)
@dataclass(frozen=True, slots=True)
class RunContactImport(Job):
    """One part of an import; `part` tells a repeated job from its successor."""

    import_id: UUID
    part: int


ROLL_UP_DEDUPE = "roll_up_sending"
ROLL_UP_SECONDS = 60.0


@job("rollup.sending", queue="system", priority=Priority.LOW, attempts=12, timeout_seconds=120, retry_cap_seconds=900.0)
@dataclass(frozen=True, slots=True)
class RollUpSending(Job):
    """Feeds the OLAP tier from the events that were recorded since the last time."""
