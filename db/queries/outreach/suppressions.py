"""Addresses that nobody in the tenant writes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Suppression:
    tenant_id: UUID
    id: UUID
    email_key: str
    reason: str
    source: str
    note: str | None
    campaign_id: UUID | None
    created_at: datetime


async def insert_suppression(suppression: Suppression) -> bool:
    """False when the address is suppressed already: the first reason stands."""
    status = await current().execute(
        f"INSERT INTO suppressions ({columns(Suppression)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (tenant_id, email_key) DO NOTHING",
        *(getattr(suppression, name) for name in Suppression.__slots__),
    )
    return status == "INSERT 0 1"


async def suppression_of(email_key: str) -> Suppression | None:
    return await one_row(
        Suppression,
        f"SELECT {columns(Suppression)} FROM suppressions WHERE tenant_id = $1 AND email_key = $2",
        current().tenant_id,
        email_key,
    )


async def lock_suppression(suppression_id: UUID) -> Suppression | None:
    return await one_row(
        Suppression,
        f"SELECT {columns(Suppression)} FROM suppressions WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        suppression_id,
    )


async def suppressions_by_ids(ids: Sequence[UUID]) -> list[Suppression]:
    return await all_rows(
        Suppression,
        f"SELECT {columns(Suppression)} FROM suppressions WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def suppressions(*, email_key: str | None, first: int, after: UUID | None) -> Page[Suppression]:
    """Newest first."""
    rows = await all_rows(
        Suppression,
        f"SELECT {columns(Suppression)} FROM suppressions WHERE tenant_id = $1 "
        "AND ($2::text IS NULL OR email_key = $2) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        current().tenant_id,
        email_key,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def delete_suppression(suppression_id: UUID) -> None:
    await current().execute(
        "DELETE FROM suppressions WHERE tenant_id = $1 AND id = $2", current().tenant_id, suppression_id
    )


async def set_contact_status(email_key: str, status: str, at: datetime) -> None:
    """Of every contact with the address, in all workspaces of the tenant; found by each workspace's own key."""
    await current().execute(
        """
        UPDATE contacts c SET status = $3, version = c.version + 1, updated_at = $4 FROM workspaces w
        WHERE w.tenant_id = $1 AND c.tenant_id = $1 AND c.workspace_id = w.id AND c.email_key = $2 AND c.status <> $3
        """,
        current().tenant_id,
        email_key,
        status,
        at,
    )
