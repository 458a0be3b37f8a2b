"""DKIM keys of sending domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class DkimKey:
    """The private half is never part of it."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    domain: str
    selector: str
    public_record: str
    state: str
    version: int
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class ActiveKey:
    id: UUID
    selector: str
    private_key: bytes


async def insert_key(key: DkimKey, *, private_key: bytes) -> None:
    await current().execute(
        f"INSERT INTO dkim_keys ({columns(DkimKey)}, private_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        *(getattr(key, name) for name in DkimKey.__slots__),
        private_key,
    )


async def lock_key(key_id: UUID) -> DkimKey | None:
    return await one_row(
        DkimKey,
        f"SELECT {columns(DkimKey)} FROM dkim_keys WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        key_id,
    )


async def keys_by_ids(ids: Sequence[UUID]) -> list[DkimKey]:
    return await all_rows(
        DkimKey,
        f"SELECT {columns(DkimKey)} FROM dkim_keys WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def keys(workspace_id: UUID, *, first: int, after: UUID | None) -> Page[DkimKey]:
    rows = await all_rows(
        DkimKey,
        f"SELECT {columns(DkimKey)} FROM dkim_keys WHERE tenant_id = $1 AND workspace_id = $2 "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        current().tenant_id,
        workspace_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def activate_key(key_id: UUID, domain: str, at: datetime) -> None:
    """It takes the place of the domain's active key, which keeps its record for mails on the way, and is retired."""
    await retire_keys(domain, at)
    await current().execute(
        "UPDATE dkim_keys SET state = 'active', activated_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        key_id,
        at,
    )


async def retire_keys(domain: str, at: datetime) -> None:
    """Forgets the private half of the domain's active key."""
    await current().execute(
        "UPDATE dkim_keys SET state = 'retired', retired_at = $3, private_key = NULL, version = version + 1 "
        "WHERE tenant_id = $1 AND domain = $2 AND state = 'active'",
        current().tenant_id,
        domain,
        at,
    )


async def retire_key(key_id: UUID, at: datetime) -> None:
    await current().execute(
        "UPDATE dkim_keys SET state = 'retired', retired_at = $3, private_key = NULL, version = version + 1 "
        "WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        key_id,
        at,
    )


async def active_key(domain: str) -> ActiveKey | None:
    return await one_row(
        ActiveKey,
        "SELECT id, selector, private_key FROM dkim_keys WHERE tenant_id = $1 AND domain = $2 AND state = 'active'",
        current().tenant_id,
        domain,
    )
