"""Templates: names and versions; what a version says is in the Content tier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Template:
    """`version_ids`: oldest first; a version's number is its place in it, from 1."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    name: str
    current_version_id: UUID
    version_ids: list[UUID]
    archived_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


async def insert_template(made: Template) -> bool:
    """False when a template of that name is there already."""
    status = await current().execute(
        f"INSERT INTO templates ({columns(Template)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (tenant_id, workspace_id, name) WHERE archived_at IS NULL DO NOTHING",
        *(getattr(made, name) for name in Template.__slots__),
    )
    return status == "INSERT 0 1"


async def template_by_id(template_id: UUID, *, lock: bool = False) -> Template | None:
    return await one_row(
        Template,
        f"SELECT {columns(Template)} FROM templates WHERE tenant_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}",
        current().tenant_id,
        template_id,
    )


async def templates_by_ids(ids: Sequence[UUID]) -> list[Template]:
    """Those that exist, archived ones too, in no order."""
    return await all_rows(
        Template,
        f"SELECT {columns(Template)} FROM templates WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def templates_of_workspace(workspace_id: UUID, *, first: int, after: UUID | None) -> Page[Template]:
    """Newest first, without deleted ones."""
    rows = await all_rows(
        Template,
        f"SELECT {columns(Template)} FROM templates WHERE tenant_id = $1 AND workspace_id = $2 AND archived_at IS NULL "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        current().tenant_id,
        workspace_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def update_template(changed: Template) -> bool:
    """False when another template has the name. The row must be locked."""
    status = await current().execute(
        "UPDATE templates SET name = $3, current_version_id = $4, version_ids = $5, archived_at = $6, version = $7, "
        "updated_at = $8 WHERE tenant_id = $1 AND id = $2 AND ($6::timestamptz IS NOT NULL OR NOT EXISTS ("
        "SELECT 1 FROM templates o WHERE o.tenant_id = $1 AND o.workspace_id = templates.workspace_id AND o.name = $3 "
        "AND o.archived_at IS NULL AND o.id <> $2))",
        changed.tenant_id,
        changed.id,
        changed.name,
        changed.current_version_id,
        changed.version_ids,
        changed.archived_at,
        changed.version,
        changed.updated_at,
    )
    return status == "UPDATE 1"


async def named_versions(template_ids: Sequence[UUID]) -> set[UUID]:
    """Every version that one of the templates names."""
    rows = await current().fetch(
        "SELECT unnest(version_ids) AS id FROM templates WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(template_ids),
    )
    return {row["id"] for row in rows}
