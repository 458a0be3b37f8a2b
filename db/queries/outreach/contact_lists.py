"""Lists of contacts, with a count that moves in the transaction that changes the members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class ContactList:
    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    name: str
    contact_count: int
    version: int
    created_at: datetime
    updated_at: datetime


async def insert_list(made: ContactList) -> bool:
    """False when the name is taken in the workspace."""
    status = await current().execute(
        f"INSERT INTO contact_lists ({columns(ContactList)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (tenant_id, workspace_id, name) DO NOTHING",
        *(getattr(made, name) for name in ContactList.__slots__),
    )
    return status == "INSERT 0 1"


async def list_by_id(list_id: UUID, *, lock: bool = False) -> ContactList | None:
    return await one_row(
        ContactList,
        f"SELECT {columns(ContactList)} FROM contact_lists WHERE tenant_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}",
        current().tenant_id,
        list_id,
    )


async def lists_by_ids(ids: Sequence[UUID]) -> list[ContactList]:
    """Those that exist, in no order."""
    return await all_rows(
        ContactList,
        f"SELECT {columns(ContactList)} FROM contact_lists WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def lists_of_workspace(workspace_id: UUID, *, first: int, after: UUID | None) -> Page[ContactList]:
    """Newest first."""
    rows = await all_rows(
        ContactList,
        f"SELECT {columns(ContactList)} FROM contact_lists WHERE tenant_id = $1 AND workspace_id = $2 "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        current().tenant_id,
        workspace_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def delete_list(list_id: UUID) -> None:
    """The contacts stay; imports into it go on without it."""
    await current().execute(
        "UPDATE contact_imports SET list_id = NULL WHERE tenant_id = $1 AND list_id = $2", current().tenant_id, list_id
    )
    await current().execute("DELETE FROM contact_lists WHERE tenant_id = $1 AND id = $2", current().tenant_id, list_id)


async def add_members(list_id: UUID, contact_ids: Sequence[UUID], *, at: datetime) -> int:
    """How many were not on it before. The ids must be contacts of the tenant."""
    status = await current().execute(
        "INSERT INTO contact_list_members (tenant_id, list_id, contact_id, added_at) "
        "SELECT $1, $2, m.contact_id, $4 FROM unnest($3::uuid[]) AS m (contact_id) ON CONFLICT DO NOTHING",
        current().tenant_id,
        list_id,
        list(contact_ids),
        at,
    )
    return await move_count(list_id, int(status.rpartition(" ")[2]), at)


async def remove_members(list_id: UUID, contact_ids: Sequence[UUID], *, at: datetime) -> int:
    """How many were on it."""
    status = await current().execute(
        "DELETE FROM contact_list_members WHERE tenant_id = $1 AND list_id = $2 AND contact_id = ANY ($3::uuid[])",
        current().tenant_id,
        list_id,
        list(contact_ids),
    )
    return -await move_count(list_id, -int(status.rpartition(" ")[2]), at)


async def move_count(list_id: UUID, by: int, at: datetime) -> int:
    """For who changed the members by `by`. Returns `by`."""
    if by:
        await current().execute(
            "UPDATE contact_lists SET contact_count = contact_count + $3, version = version + 1, updated_at = $4 "
            "WHERE tenant_id = $1 AND id = $2",
            current().tenant_id,
            list_id,
            by,
            at,
        )
    return by


async def fields_of_nobody(list_id: UUID, names: Sequence[str]) -> set[str]:
    """Which of the merge fields no active contact of the list has; none when the list has no active contact.

    Walks through the list once per field, up to the first contact that has it. OFFSET 0 keeps it a walk that can stop.
    """
    rows = await current().fetch(
        """
        SELECT wanted.name FROM unnest($3::text[]) AS wanted (name)
        WHERE EXISTS (
          SELECT 1 FROM contact_list_members m JOIN contacts c ON c.tenant_id = $1 AND c.id = m.contact_id
          WHERE m.tenant_id = $1 AND m.list_id = $2 AND c.status = 'active' OFFSET 0)
        AND NOT EXISTS (
          SELECT 1 FROM contact_list_members m JOIN contacts c ON c.tenant_id = $1 AND c.id = m.contact_id
          WHERE m.tenant_id = $1 AND m.list_id = $2 AND c.status = 'active' AND CASE wanted.name
            WHEN 'first_name' THEN c.first_name WHEN 'last_name' THEN c.last_name WHEN 'company' THEN c.company
            ELSE c.fields ->> wanted.name END <> '' OFFSET 0)
        """,
        current().tenant_id,
        list_id,
        list(names),
    )
    return {row["name"] for row in rows}
