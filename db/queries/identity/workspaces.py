"""Workspaces: a tenant's clients or brands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Workspace:
    tenant_id: UUID
    id: UUID
    name: str
    slug: str
    version: int
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def insert_workspace(workspace: Workspace) -> bool:
    """False when the slug is taken in the tenant."""
    status = await current().execute(
        f"INSERT INTO workspaces ({columns(Workspace)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (tenant_id, slug) DO NOTHING",
        *(getattr(workspace, name) for name in Workspace.__slots__),
    )
    return status == "INSERT 0 1"


async def workspace_by_id(workspace_id: UUID) -> Workspace | None:
    return await one_row(
        Workspace,
        f"SELECT {columns(Workspace)} FROM workspaces WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        workspace_id,
    )


async def lock_workspace(workspace_id: UUID) -> Workspace | None:
    return await one_row(
        Workspace,
        f"SELECT {columns(Workspace)} FROM workspaces WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        workspace_id,
    )


async def workspaces_by_ids(ids: Sequence[UUID]) -> list[Workspace]:
    """Those that exist, in no order."""
    return await all_rows(
        Workspace,
        f"SELECT {columns(Workspace)} FROM workspaces WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def workspaces(*, visible: list[UUID] | None, archived: bool, first: int, after: UUID | None) -> Page[Workspace]:
    """Newest first. `visible` None means all; archived ones only when asked for."""
    rows = await all_rows(
        Workspace,
        f"SELECT {columns(Workspace)} FROM workspaces WHERE tenant_id = $1 "
        "AND ($2::uuid[] IS NULL OR id = ANY ($2)) AND ($3 OR archived_at IS NULL) "
        "AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
        current().tenant_id,
        visible,
        archived,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def first_workspace(*, visible: list[UUID] | None) -> Workspace | None:
    """The oldest that is not archived: where a person lands after signing in."""
    return await one_row(
        Workspace,
        f"SELECT {columns(Workspace)} FROM workspaces WHERE tenant_id = $1 "
        "AND ($2::uuid[] IS NULL OR id = ANY ($2)) AND archived_at IS NULL ORDER BY id LIMIT 1",
        current().tenant_id,
        visible,
    )


async def count_workspaces() -> int:
    return int(await current().fetchval("SELECT count(*) FROM workspaces WHERE tenant_id = $1", current().tenant_id))


async def update_workspace(changed: Workspace) -> bool:
    """False when the new slug was taken in between; nothing is changed then."""
    status = await current().execute(
        "UPDATE workspaces SET name = $3, slug = $4, version = $5, archived_at = $6, updated_at = $7 "
        "WHERE tenant_id = $1 AND id = $2 "
        "AND NOT EXISTS (SELECT 1 FROM workspaces o WHERE o.tenant_id = $1 AND o.slug = $4 AND o.id <> $2)",
        changed.tenant_id,
        changed.id,
        changed.name,
        changed.slug,
        changed.version,
        changed.archived_at,
        changed.updated_at,
    )
    return status == "UPDATE 1"
