"""The ledger as people read it: messages, their story, and the resolving of doubts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Message:
    """`merge_values` and `content_sha256` are there once it was tried."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    campaign_id: UUID
    step_id: UUID
    variant_id: UUID
    template_version_id: UUID
    enrollment_id: UUID
    contact_id: UUID
    mailbox_id: UUID | None
    to_address: str
    email_key: str
    state: str
    due_at: datetime | None
    fence: int
    attempts: int
    submitted_at: datetime | None
    settled_at: datetime | None
    message_id_header: str | None
    content_sha256: bytes | None
    merge_values: dict[str, Any] | None
    reply: str | None
    reason: str | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessageAttempt:
    id: UUID
    message_id: UUID
    mailbox_id: UUID
    outcome: str
    reply: str | None
    reason: str | None
    at: datetime


async def messages(campaign_id: UUID, *, states: Sequence[str], first: int, after: UUID | None) -> Page[Message]:
    """Newest first, of the given states.

    Each state's newest are read from its own part of the index (tenant, campaign, state, id), and the few merged: asked
    for all at once, PostgreSQL walks the tenant's whole key backwards past every newer campaign (466 ms against 0.2 for
    one of 64,000 messages under 236,000 newer ones).
    """
    rows = await all_rows(
        Message,
        f"SELECT {columns(Message, 'm')} FROM unnest($3::text[]) AS wanted (state) CROSS JOIN LATERAL ("
        "SELECT * FROM messages WHERE tenant_id = $1 AND campaign_id = $2 AND state = wanted.state "
        "AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5) m ORDER BY m.id DESC LIMIT $5",
        current().tenant_id,
        campaign_id,
        list(states),
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def messages_by_ids(ids: Sequence[UUID]) -> list[Message]:
    return await all_rows(
        Message,
        f"SELECT {columns(Message)} FROM messages WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def lock_message(message_id: UUID) -> Message | None:
    return await one_row(
        Message,
        f"SELECT {columns(Message)} FROM messages WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        message_id,
    )


async def attempts(message_ids: Sequence[UUID]) -> list[MessageAttempt]:
    """Of several messages, oldest first; at most a hundred of each."""
    return await all_rows(
        MessageAttempt,
        f"SELECT {columns(MessageAttempt, 'a')} FROM unnest($2::uuid[]) AS m (id) CROSS JOIN LATERAL ("
        "SELECT * FROM message_attempts t WHERE t.tenant_id = $1 AND t.message_id = m.id ORDER BY t.id LIMIT 100) a "
        "ORDER BY a.message_id, a.id",
        current().tenant_id,
        list(message_ids),
    )


async def insert_attempt(attempt: MessageAttempt) -> None:
    await current().execute(
        "INSERT INTO message_attempts (tenant_id, id, message_id, mailbox_id, outcome, reply, reason, at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        current().tenant_id,
        *(getattr(attempt, name) for name in MessageAttempt.__slots__),
    )


async def resolve_message(message_id: UUID, *, state: str, due_at: datetime | None, reason: str, at: datetime) -> None:
    """Out of doubt. One that is sent again goes to the queue of the mailbox it was sent from."""
    await current().execute(
        "UPDATE messages SET state = $3, due_at = $4, reason = $5, settled_at = $6, version = version + 1 "
        "WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        message_id,
        state,
        due_at,
        reason,
        None if due_at is not None else at,
    )


async def templates_of(variant_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Which template each variant prints."""
    rows = await current().fetch(
        "SELECT id, template_id FROM step_variants WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(variant_ids),
    )
    return {row["id"]: row["template_id"] for row in rows}
