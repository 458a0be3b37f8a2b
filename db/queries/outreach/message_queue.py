"""Messages that wait: planned for contacts, assigned to mailboxes, taken back in batches, cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import all_rows
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message to be written into the ledger, and who gets it."""

    id: UUID
    variant_id: UUID
    template_version_id: UUID
    enrollment_id: UUID
    contact_id: UUID
    mailbox_id: UUID
    to_address: str
    email_key: str


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """Where the planned messages of a batch belong."""

    workspace_id: UUID
    campaign_id: UUID
    step_id: UUID


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A message that waited: its state and mailbox before."""

    id: UUID
    workspace_id: UUID
    campaign_id: UUID
    enrollment_id: UUID
    mailbox_id: UUID | None
    to_address: str
    state: str
    version: int


async def insert_messages(place: MessagePlace, messages: Sequence[PlannedMessage], *, at: datetime) -> list[UUID]:
    """Queues them now, or when a slowed-down provider may be written to again.

    Returns the enrollments whose message is new; the ledger's key refuses a second one for (campaign, step, contact).
    """
    columns = zip(
        *(
            (
                m.id,
                m.variant_id,
                m.template_version_id,
                m.enrollment_id,
                m.contact_id,
                m.mailbox_id,
                m.to_address,
                m.email_key,
            )
            for m in messages
        ),
        strict=True,
    )
    rows = await current().fetch(
        """
        INSERT INTO messages (tenant_id, id, workspace_id, campaign_id, step_id, variant_id, template_version_id,
          enrollment_id, contact_id, mailbox_id, to_address, email_key, recipient_domain, state, due_at, fence, attempts,
          version, created_at)
        SELECT $1, new.id, $2, $3, $4, new.variant_id, new.version_id, new.enrollment_id, new.contact_id, new.mailbox_id,
          new.to_address, new.email_key, split_part(new.email_key, '@', 2), 'queued',
          greatest($5, (SELECT w.until_at FROM provider_slowdowns w WHERE w.tenant_id = $1
            AND w.mailbox_id = new.mailbox_id AND w.recipient_domain = split_part(new.email_key, '@', 2))), 0, 0, 1, $5
        FROM unnest($6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[])
          AS new (id, variant_id, version_id, enrollment_id, contact_id, mailbox_id, to_address, email_key)
        ON CONFLICT (tenant_id, campaign_id, step_id, contact_id) DO NOTHING
        RETURNING enrollment_id
        """,
        current().tenant_id,
        place.workspace_id,
        place.campaign_id,
        place.step_id,
        at,
        *(list(column) for column in columns),
    )
    return [row["enrollment_id"] for row in rows]


async def unassigned_messages(campaign_id: UUID, limit: int) -> list[UUID]:
    """Planned messages without a mailbox, oldest first, locked."""
    rows = await current().fetch(
        "SELECT id FROM messages WHERE tenant_id = $1 AND campaign_id = $2 AND due_at IS NOT NULL AND state = 'planned' "
        "ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
        current().tenant_id,
        campaign_id,
        limit,
    )
    return [row["id"] for row in rows]


async def assign_messages(pairs: Sequence[tuple[UUID, UUID]], *, at: datetime) -> None:
    """Pairs of (message, mailbox); a message that had to wait for a later moment still does."""
    await current().execute(
        """
        UPDATE messages m SET state = 'queued', mailbox_id = new.mailbox_id, due_at = greatest(m.due_at, $2),
          version = m.version + 1
        FROM unnest($3::uuid[], $4::uuid[]) AS new (id, mailbox_id) WHERE m.tenant_id = $1 AND m.id = new.id
        """,
        current().tenant_id,
        at,
        [message_id for message_id, _ in pairs],
        [mailbox_id for _, mailbox_id in pairs],
    )


_TAKEN_BACK = """
    SELECT id, workspace_id, campaign_id, enrollment_id, mailbox_id, to_address, state, version FROM messages
    WHERE tenant_id = $1 AND due_at IS NOT NULL AND {where} ORDER BY id LIMIT {limit} FOR UPDATE
"""


async def lock_queued_of_campaign(campaign_id: UUID, limit: int) -> list[TakenBack]:
    """Messages in mailboxes' queues."""
    sql = _TAKEN_BACK.format(where="campaign_id = $2 AND state <> 'planned'", limit="$3")
    return await all_rows(TakenBack, sql, current().tenant_id, campaign_id, limit)


async def lock_waiting_of_campaign(campaign_id: UUID, limit: int) -> list[TakenBack]:
    """All that wait, planned ones too."""
    sql = _TAKEN_BACK.format(where="campaign_id = $2", limit="$3")
    return await all_rows(TakenBack, sql, current().tenant_id, campaign_id, limit)


async def lock_queued_of_mailbox(mailbox_id: UUID, limit: int) -> list[TakenBack]:
    sql = _TAKEN_BACK.format(where="mailbox_id = $2", limit="$3")
    return await all_rows(TakenBack, sql, current().tenant_id, mailbox_id, limit)


async def lock_waiting_to(email_key: str) -> list[TakenBack]:
    """All that wait for one address, in every campaign."""
    sql = _TAKEN_BACK.format(where="email_key = $2", limit="1000")
    return await all_rows(TakenBack, sql, current().tenant_id, email_key)


async def unassign_messages(ids: Sequence[UUID]) -> None:
    """Back to planned, without a mailbox; each keeps the moment that it waited for."""
    await current().execute(
        "UPDATE messages SET state = 'planned', mailbox_id = NULL, version = version + 1 "
        "WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def cancel_messages(ids: Sequence[UUID], *, reason: str, at: datetime) -> None:
    await current().execute(
        "UPDATE messages SET state = 'cancelled', due_at = NULL, reason = $3, settled_at = $4, version = version + 1 "
        "WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
        reason,
        at,
    )


async def delay_provider(mailbox_id: UUID, recipient_domain: str, until: datetime) -> int:
    """What waits in the mailbox for that provider waits at least until then. Returns how many."""
    status = await current().execute(
        "UPDATE messages SET due_at = $4, version = version + 1 WHERE tenant_id = $1 AND id = ANY (ARRAY("
        "SELECT id FROM messages WHERE tenant_id = $1 AND mailbox_id = $2 AND due_at < $4 AND recipient_domain = $3 "
        "ORDER BY id FOR UPDATE))",
        current().tenant_id,
        mailbox_id,
        recipient_domain,
        until,
    )
    return int(status.rpartition(" ")[2])
