"""The ledger as a mailbox's run writes it: claims, and one statement per mail that records one and marks the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from db.core.rows import all_rows, one_row
from db.core.transaction import current

# What passes: a lost or restarting PostgreSQL, a deadlock that this transaction lost. It may be tried again.
PASSING_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    OSError,
    TimeoutError,
)


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message in hand, with all that rendering needs; the contact's fields are None once it is erased."""

    id: UUID
    workspace_id: UUID
    campaign_id: UUID
    template_id: UUID
    template_version_id: UUID
    enrollment_id: UUID
    contact_id: UUID
    to_address: str
    email_key: str
    recipient_domain: str
    attempts: int
    first_tried_at: datetime | None
    postal_address: str
    email: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    fields: dict[str, str] | None
    was: str


@dataclass(frozen=True, slots=True)
class Recording:
    """How a message in hand ends: written where it is `from_state` under our fence, or in doubt because we were slow.

    `attempt_id` None writes no try into its story. `due_at` is set exactly for states that wait.
    """

    message_id: UUID
    from_state: str
    state: str
    due_at: datetime | None
    settled_at: datetime | None
    reply: str | None
    reason: str | None
    attempt_id: UUID | None
    attempt_outcome: str | None
    enrollment_state: str
    is_suppressed: bool
    event_id: UUID
    event_topic: str
    event_payload: Mapping[str, Any]
    rate_window: int


@dataclass(frozen=True, slots=True)
class Marking:
    """The next message, and what is written about it before its own SMTP transaction begins."""

    message_id: UUID
    message_id_header: str
    content_sha256: bytes
    merge_values: Mapping[str, Any]
    smtp_version: int
    today: date
    lease_until: datetime
    campaign_id: UUID
    contact_id: UUID
    email_key: str


@dataclass(frozen=True, slots=True)
class Turn:
    """The holder of the mailbox's run at one moment."""

    mailbox_id: UUID
    fence: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Marked:
    """`recorded`: the new version of the message before, None when it was not ours any more. `tries` of the next one,
    None when it may not be submitted."""

    recorded: int | None
    tries: int | None


async def claim_due(turn: Turn, limit: int) -> list[ClaimedMessage]:
    """Takes up to `limit` due messages of running campaigns into hand, those due first."""
    return await all_rows(
        ClaimedMessage,
        """
        WITH due AS MATERIALIZED (
          SELECT m.id, m.state, m.due_at FROM messages m
          JOIN campaigns c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id AND c.state = 'running'
          WHERE m.tenant_id = $1 AND m.mailbox_id = $2 AND m.due_at <= $3
          ORDER BY m.due_at, m.id LIMIT $5 FOR UPDATE OF m SKIP LOCKED),
        taken AS (
          UPDATE messages m SET state = 'claimed', due_at = NULL, fence = $4, version = m.version + 1
          WHERE m.tenant_id = $1 AND m.id = ANY (ARRAY(SELECT id FROM due)) RETURNING m.*)
        SELECT t.id, t.workspace_id, t.campaign_id, v.template_id, t.template_version_id, t.enrollment_id, t.contact_id,
          t.to_address, t.email_key, t.recipient_domain, t.attempts, t.first_tried_at, c.postal_address,
          k.email, k.first_name, k.last_name, k.company, k.fields, due.state
        FROM taken t JOIN due ON due.id = t.id
        CROSS JOIN LATERAL (SELECT postal_address FROM campaigns WHERE tenant_id = $1 AND id = t.campaign_id OFFSET 0) c
        CROSS JOIN LATERAL (SELECT template_id FROM step_variants WHERE tenant_id = $1 AND id = t.variant_id OFFSET 0) v
        LEFT JOIN LATERAL (SELECT * FROM contacts WHERE tenant_id = $1 AND id = t.contact_id OFFSET 0) k ON true
        ORDER BY due.due_at, t.id
        """,
        current().tenant_id,
        turn.mailbox_id,
        turn.now,
        turn.fence,
        limit,
    )


# Parameters: $1-$4 tenant and turn; $5-$19 the recording; $20-$29 the marking. Either may be NULLs only.
# Every row is asked for by its own key, which the run knows, and never found by a join: whatever PostgreSQL believes of
# tables that it has not analysed yet, it can only look keys up. (Joined, it read a tenant's every contact per mail.)
# The count's row is that of (campaign, mailbox): no other mailbox waits for it. An answer that comes after another
# worker took the mailbox over still settles its own doubt: it is evidence.
# A mail that was taken ends the mailbox's failures: in `slot`, or in `worked` when no next mail takes a slot, since one
# statement may write a row only once.
_RECORD_AND_MARK = """
WITH old AS (
  SELECT id, state FROM messages WHERE tenant_id = $1 AND id = $5::uuid AND fence = $3
    AND (state = $6::text OR (state = 'in_doubt' AND $6::text = 'submitting')) FOR UPDATE),
done AS (
  UPDATE messages m SET state = $7::text, due_at = $8::timestamptz, settled_at = $9::timestamptz, reply = $10::text,
    reason = $11::text, version = m.version + 1
  FROM old WHERE m.tenant_id = $1 AND m.id = old.id
  RETURNING m.id, m.campaign_id, m.workspace_id, m.enrollment_id, m.version, old.state AS was),
tried AS (
  INSERT INTO message_attempts (tenant_id, id, message_id, mailbox_id, outcome, reply, reason, at)
  SELECT $1, $12::uuid, done.id, $2, $13::text, $10, $11, $4 FROM done WHERE $12::uuid IS NOT NULL),
moved AS (
  UPDATE enrollments e SET state = $14::text, due_at = NULL FROM done
  WHERE e.tenant_id = $1 AND e.id = done.enrollment_id AND e.state <> $14::text),
counted AS (
  UPDATE campaign_counts k SET
    queued = k.queued - (done.was <> 'in_doubt')::int + ($7::text = 'queued')::int,
    in_doubt = k.in_doubt - (done.was = 'in_doubt')::int + ($7::text = 'in_doubt')::int,
    deferred = k.deferred + ($7::text = 'deferred')::int, sent = k.sent + ($7::text = 'sent')::int,
    bounced = k.bounced + ($7::text = 'bounced')::int, failed = k.failed + ($7::text = 'failed')::int,
    cancelled = k.cancelled + ($7::text = 'cancelled' AND NOT $15::boolean)::int,
    suppressed = k.suppressed + ($7::text = 'cancelled' AND $15::boolean)::int,
    rate_before = CASE WHEN $7::text <> 'sent' OR k.rate_window = $19 THEN k.rate_before
                       WHEN k.rate_window = $19 - 1 THEN k.rate_sent ELSE 0 END,
    rate_sent = CASE WHEN $7::text <> 'sent' THEN k.rate_sent WHEN k.rate_window = $19 THEN k.rate_sent + 1 ELSE 1 END,
    rate_window = CASE WHEN $7::text = 'sent' THEN $19 ELSE k.rate_window END
  FROM done WHERE k.tenant_id = $1 AND k.campaign_id = done.campaign_id AND k.lane = $2),
told AS (
  INSERT INTO live_events (tenant_id, id, topic, workspace_id, object_type, object_id, version, payload, created_at)
  SELECT $1, $16::uuid, $17::text, done.workspace_id, 'Message', done.id, done.version, $18::jsonb, $4 FROM done),
fit AS (
  SELECT b.daily_cap, b.minimum_gap_seconds FROM mailboxes b
  WHERE b.tenant_id = $1 AND b.id = $2 AND b.state = 'verified' AND b.paused_at IS NULL AND b.smtp_version = $24::int
    AND EXISTS (SELECT 1 FROM campaigns WHERE tenant_id = $1 AND id = $27::uuid AND state = 'running')
    AND EXISTS (SELECT 1 FROM contacts WHERE tenant_id = $1 AND id = $28::uuid)
    AND NOT EXISTS (SELECT 1 FROM suppressions WHERE tenant_id = $1 AND email_key = $29::text)),
slot AS (
  UPDATE mailbox_runs r SET sent_on = $25::date, lease_until = $26::timestamptz,
    sent_today = CASE WHEN r.sent_on = $25::date THEN r.sent_today ELSE 0 END + 1,
    next_send_at = $4 + make_interval(secs => fit.minimum_gap_seconds),
    failures = CASE WHEN $7::text = 'sent' THEN 0 ELSE r.failures END,
    last_problem = CASE WHEN $7::text = 'sent' THEN NULL ELSE r.last_problem END,
    last_problem_at = CASE WHEN $7::text = 'sent' THEN NULL ELSE r.last_problem_at END
  FROM fit WHERE r.tenant_id = $1 AND r.mailbox_id = $2 AND r.fence = $3
    AND CASE WHEN r.sent_on = $25::date THEN r.sent_today ELSE 0 END < fit.daily_cap
    AND (r.next_send_at IS NULL OR r.next_send_at <= $4)
  RETURNING r.mailbox_id),
worked AS (
  UPDATE mailbox_runs r SET failures = 0, last_problem = NULL, last_problem_at = NULL
  WHERE $7::text = 'sent' AND EXISTS (SELECT FROM done) AND NOT EXISTS (SELECT FROM slot)
    AND r.tenant_id = $1 AND r.mailbox_id = $2 AND r.fence = $3 AND r.failures > 0),
next AS (
  UPDATE messages m SET state = 'submitting', attempts = m.attempts + 1, submitted_at = $4,
    first_tried_at = coalesce(m.first_tried_at, $4), message_id_header = $21::text, content_sha256 = $22::bytea,
    merge_values = $23::jsonb, reply = NULL, reason = NULL, version = m.version + 1
  FROM slot WHERE m.tenant_id = $1 AND m.id = $20::uuid AND m.state = 'claimed' AND m.fence = $3
  RETURNING m.attempts)
SELECT (SELECT version FROM done), (SELECT attempts::int FROM next)
"""
_NO_RECORDING = (None,) * 10 + (False, None, None, None, 0)
_NO_MARKING = (None,) * 10


def _values(row: Recording | Marking) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in row.__slots__)


async def record_and_mark(turn: Turn, recording: Recording | None, marking: Marking | None) -> Marked:
    """Records the mail before and marks the next as `submitting`, each if it is still ours, in one statement.

    The next is marked only while its campaign runs, its contact exists and is not suppressed, its mailbox may send with
    the settings that were read, cap and gap allow it, and the fence is the turn's.
    """
    marked = await one_row(
        Marked,
        _RECORD_AND_MARK,
        current().tenant_id,
        turn.mailbox_id,
        turn.fence,
        turn.now,
        *(_NO_RECORDING if recording is None else _values(recording)),
        *(_NO_MARKING if marking is None else _values(marking)),
    )
    assert marked is not None
    return marked


@dataclass(frozen=True, slots=True)
class MarkingFacts:
    """Why a message was not marked: everything that the marking statement asks."""

    message_state: str
    message_fence: int
    campaign_state: str
    contact_exists: bool
    is_suppressed: bool
    mailbox_state: str
    paused_at: datetime | None
    smtp_version: int
    run_fence: int


async def marking_facts(message_id: UUID, mailbox_id: UUID) -> MarkingFacts | None:
    return await one_row(
        MarkingFacts,
        """
        SELECT m.state, m.fence, c.state,
          EXISTS (SELECT 1 FROM contacts k WHERE k.tenant_id = m.tenant_id AND k.id = m.contact_id),
          EXISTS (SELECT 1 FROM suppressions s WHERE s.tenant_id = m.tenant_id AND s.email_key = m.email_key),
          b.state, b.paused_at, b.smtp_version, r.fence
        FROM messages m
        JOIN campaigns c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
        JOIN mailboxes b ON b.tenant_id = m.tenant_id AND b.id = $3
        JOIN mailbox_runs r ON r.tenant_id = m.tenant_id AND r.mailbox_id = $3
        WHERE m.tenant_id = $1 AND m.id = $2
        """,
        current().tenant_id,
        message_id,
        mailbox_id,
    )


async def put_back_claimed(turn: Turn, *, due_at: datetime) -> int:
    """What is claimed under this fence goes back to the queue. Returns how many."""
    status = await current().execute(
        "UPDATE messages SET state = 'queued', due_at = $4, version = version + 1 "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND state = 'claimed' AND fence = $3",
        current().tenant_id,
        turn.mailbox_id,
        turn.fence,
        due_at,
    )
    return int(status.rpartition(" ")[2])


async def put_back_one(turn: Turn, message_id: UUID, *, due_at: datetime) -> None:
    await current().execute(
        "UPDATE messages SET state = 'queued', due_at = $5, version = version + 1 "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND fence = $3 AND id = $4 AND state = 'claimed'",
        current().tenant_id,
        turn.mailbox_id,
        turn.fence,
        message_id,
        due_at,
    )


async def hold_one(turn: Turn, message_id: UUID, *, due_at: datetime) -> bool:
    """A claimed message of a campaign that pauses becomes planned, without a mailbox. False when it is not ours."""
    status = await current().execute(
        "UPDATE messages SET state = 'planned', mailbox_id = NULL, due_at = $5, version = version + 1 "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND fence = $3 AND id = $4 AND state = 'claimed'",
        current().tenant_id,
        turn.mailbox_id,
        turn.fence,
        message_id,
        due_at,
    )
    return status == "UPDATE 1"
