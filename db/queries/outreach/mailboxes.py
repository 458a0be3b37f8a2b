"""Mailboxes as people see them: settings, verdict and pauses, with the figures of their runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`paused_at` stands apart from `state`: a paused mailbox stays verified. The secret is never part of it."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    address: str
    domain: str
    display_name: str
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_username: str
    smtp_version: int
    state: str
    paused_at: datetime | None
    pause_reason: str | None
    daily_cap: int
    minimum_gap_seconds: int
    verdict_problem: str | None
    verdict_sentence: str | None
    verdict_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
    sent_on: date | None
    sent_today: int
    next_send_at: datetime | None
    last_problem: str | None
    last_problem_at: datetime | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class NewMailbox:
    """A whole row of mailboxes, as it is first written."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    address: str
    address_key: str
    domain: str
    display_name: str
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_username: str
    smtp_secret: bytes
    smtp_version: int
    state: str
    daily_cap: int
    minimum_gap_seconds: int
    version: int
    created_at: datetime
    updated_at: datetime


_RUN_FIELDS = ("sent_on", "sent_today", "next_send_at", "last_problem", "last_problem_at")
_OWNERS = dict.fromkeys(_RUN_FIELDS, "r") | {"time_zone": "s"}
_SELECTED = ", ".join(f"{_OWNERS.get(name, 'm')}.{name}" for name in columns(Mailbox).split(", "))
_SOURCE = (
    "mailboxes m JOIN mailbox_runs r ON r.tenant_id = m.tenant_id AND r.mailbox_id = m.id "
    "JOIN tenant_settings s ON s.tenant_id = m.tenant_id"
)


async def insert_mailbox(mailbox: NewMailbox) -> bool:
    """With its run. False when the tenant has a mailbox of this address in any workspace."""
    names = columns(NewMailbox).split(", ")
    places = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    inserted = await current().fetchval(
        f"INSERT INTO mailboxes ({', '.join(names)}) VALUES ({places}) "
        "ON CONFLICT (tenant_id, address_key) WHERE state <> 'disconnected' DO NOTHING RETURNING true",
        *(getattr(mailbox, name) for name in names),
    )
    if inserted is None:
        return False
    await current().execute(
        "INSERT INTO mailbox_runs (tenant_id, mailbox_id, fence, sent_today, failures) VALUES ($1, $2, 0, 0, 0)",
        mailbox.tenant_id,
        mailbox.id,
    )
    return True


async def mailbox_by_id(mailbox_id: UUID) -> Mailbox | None:
    return await one_row(
        Mailbox,
        f"SELECT {_SELECTED} FROM {_SOURCE} WHERE m.tenant_id = $1 AND m.id = $2",
        current().tenant_id,
        mailbox_id,
    )


async def lock_mailbox(mailbox_id: UUID) -> Mailbox | None:
    """Holds the settings' row, not the run's: editing a mailbox never waits for a mail."""
    return await one_row(
        Mailbox,
        f"SELECT {_SELECTED} FROM {_SOURCE} WHERE m.tenant_id = $1 AND m.id = $2 FOR UPDATE OF m",
        current().tenant_id,
        mailbox_id,
    )


async def mailboxes_by_ids(ids: Sequence[UUID]) -> list[Mailbox]:
    """Those that exist, by id."""
    return await all_rows(
        Mailbox,
        f"SELECT {_SELECTED} FROM {_SOURCE} WHERE m.tenant_id = $1 AND m.id = ANY ($2::uuid[]) ORDER BY m.id",
        current().tenant_id,
        list(ids),
    )


async def lock_mailboxes_of_domain(domain: str) -> list[Mailbox]:
    """All connected mailboxes of a sending domain, locked in the order of their ids."""
    return await all_rows(
        Mailbox,
        f"SELECT {_SELECTED} FROM {_SOURCE} WHERE m.tenant_id = $1 AND m.domain = $2 AND m.state <> 'disconnected' "
        "ORDER BY m.id FOR UPDATE OF m",
        current().tenant_id,
        domain,
    )


async def mailboxes(workspace_id: UUID, *, first: int, after: UUID | None) -> Page[Mailbox]:
    """Of a workspace, newest first; disconnected ones are left out."""
    rows = await all_rows(
        Mailbox,
        f"SELECT {_SELECTED} FROM {_SOURCE} WHERE m.tenant_id = $1 AND m.workspace_id = $2 "
        "AND m.state <> 'disconnected' AND ($3::uuid IS NULL OR m.id < $3) ORDER BY m.id DESC LIMIT $4",
        current().tenant_id,
        workspace_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def mailbox_secret(mailbox_id: UUID) -> bytes | None:
    """The sealed password; None when the mailbox is gone or disconnected."""
    secret: bytes | None = await current().fetchval(
        "SELECT smtp_secret FROM mailboxes WHERE tenant_id = $1 AND id = $2", current().tenant_id, mailbox_id
    )
    return secret


async def update_mailbox(changed: Mailbox, *, secret: bytes | None = None) -> None:
    """Writes all that people edit; the password only when a new sealed one is given."""
    await current().execute(
        """
        UPDATE mailboxes SET display_name = $3, smtp_host = $4, smtp_port = $5, smtp_security = $6, smtp_username = $7,
          smtp_version = $8, state = $9, paused_at = $10, pause_reason = $11, daily_cap = $12, minimum_gap_seconds = $13,
          verdict_problem = $14, verdict_sentence = $15, verdict_at = $16, version = $17, updated_at = $18,
          smtp_secret = coalesce($19, smtp_secret)
        WHERE tenant_id = $1 AND id = $2
        """,
        changed.tenant_id,
        changed.id,
        changed.display_name,
        changed.smtp_host,
        changed.smtp_port,
        changed.smtp_security,
        changed.smtp_username,
        changed.smtp_version,
        changed.state,
        changed.paused_at,
        changed.pause_reason,
        changed.daily_cap,
        changed.minimum_gap_seconds,
        changed.verdict_problem,
        changed.verdict_sentence,
        changed.verdict_at,
        changed.version,
        changed.updated_at,
        secret,
    )


async def disconnect_mailbox(mailbox_id: UUID, at: datetime) -> None:
    """Ends it for good and forgets its password."""
    await current().execute(
        "UPDATE mailboxes SET state = 'disconnected', smtp_secret = NULL, version = version + 1, updated_at = $3 "
        "WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        mailbox_id,
        at,
    )
