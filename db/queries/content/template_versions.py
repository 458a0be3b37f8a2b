"""What the versions of templates say. Inserted once, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import all_rows, columns
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    tenant_id: UUID
    id: UUID
    template_id: UUID
    number: int
    subject: str
    text_body: str | None
    html_body: str | None
    on_missing_field: str
    created_at: datetime


async def insert_version(version: TemplateVersion) -> None:
    await current().execute(
        f"INSERT INTO template_versions ({columns(TemplateVersion)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(getattr(version, name) for name in TemplateVersion.__slots__),
    )


async def versions_by_ids(ids: Sequence[UUID]) -> list[TemplateVersion]:
    """Those that exist, in no order."""
    return await all_rows(
        TemplateVersion,
        f"SELECT {columns(TemplateVersion)} FROM template_versions WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def versions_made_between(start: datetime, end: datetime, *, limit: int) -> list[tuple[UUID, UUID, datetime]]:
    """(version, template, moment) of those written in the time, oldest first."""
    rows = await current().fetch(
        "SELECT id, template_id, created_at FROM template_versions WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3 "
        "ORDER BY created_at LIMIT $4",
        current().tenant_id,
        start,
        end,
        limit,
    )
    return [(row["id"], row["template_id"], row["created_at"]) for row in rows]


async def delete_versions(ids: Sequence[UUID]) -> None:
    await current().execute(
        "DELETE FROM template_versions WHERE tenant_id = $1 AND id = ANY ($2::uuid[])", current().tenant_id, list(ids)
    )
