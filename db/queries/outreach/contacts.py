"""Contacts: people who can be written to, unique by address in their workspace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row, pages_by_owner
from db.core.transaction import current

_LAST = "\x7f"  # after every character of a key


@dataclass(frozen=True, slots=True)
class Contact:
    """`fields` holds the custom fields: name to text."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    email: str
    email_key: str
    first_name: str
    last_name: str
    company: str
    fields: dict[str, str]
    status: str
    version: int
    created_at: datetime
    updated_at: datetime


async def insert_contact(contact: Contact) -> bool:
    """False when the address is taken in the workspace."""
    status = await current().execute(
        f"INSERT INTO contacts ({columns(Contact)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
        "ON CONFLICT (tenant_id, workspace_id, email_key) DO NOTHING",
        *(getattr(contact, name) for name in Contact.__slots__),
    )
    return status == "INSERT 0 1"


async def contact_by_id(contact_id: UUID, *, lock: bool = False) -> Contact | None:
    return await one_row(
        Contact,
        f"SELECT {columns(Contact)} FROM contacts WHERE tenant_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}",
        current().tenant_id,
        contact_id,
    )


async def contacts_by_ids(ids: Sequence[UUID]) -> list[Contact]:
    """Those that exist, in no order."""
    return await all_rows(
        Contact,
        f"SELECT {columns(Contact)} FROM contacts WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def contacts_of_workspace(workspace_id: UUID, *, first: int, after: UUID | None) -> Page[Contact]:
    """Newest first."""
    rows = await all_rows(
        Contact,
        f"SELECT {columns(Contact)} FROM contacts WHERE tenant_id = $1 AND workspace_id = $2 "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        current().tenant_id,
        workspace_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def contacts_with_prefix(workspace_id: UUID, prefix: str, *, first: int, after: str) -> Page[Contact]:
    """Whose address begins so (in lower case), by address; `after` is the key of the last one seen, or empty."""
    rows = await all_rows(
        Contact,
        f"SELECT {columns(Contact)} FROM contacts WHERE tenant_id = $1 AND workspace_id = $2 "
        "AND email_key >= $3 AND email_key < $4 AND email_key > $5 ORDER BY email_key LIMIT $6",
        current().tenant_id,
        workspace_id,
        prefix,
        prefix + _LAST,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def contacts_on_lists(list_ids: Sequence[UUID], *, first: int, after: UUID | None) -> dict[UUID, Page[Contact]]:
    """A page of each list, newest contact first; lists without contacts are left out."""
    return await pages_by_owner(
        Contact,
        f"SELECT m.list_id, {columns(Contact, 'c')} FROM unnest($2::uuid[]) l (id) CROSS JOIN LATERAL ("
        "SELECT list_id, contact_id FROM contact_list_members WHERE tenant_id = $1 AND list_id = l.id "
        "AND ($3::uuid IS NULL OR contact_id < $3) ORDER BY contact_id DESC LIMIT $4) m "
        "JOIN contacts c ON c.tenant_id = $1 AND c.id = m.contact_id ORDER BY m.list_id, c.id DESC",
        current().tenant_id,
        list(list_ids),
        after,
        first + 1,
        first=first,
    )


async def update_contact(changed: Contact) -> bool:
    """False when the new address was taken in between; nothing is changed then."""
    status = await current().execute(
        "UPDATE contacts SET email = $3, email_key = $4, first_name = $5, last_name = $6, company = $7, fields = $8, "
        "version = $9, updated_at = $10 WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM contacts o "
        "WHERE o.tenant_id = $1 AND o.workspace_id = contacts.workspace_id AND o.email_key = $4 AND o.id <> $2)",
        changed.tenant_id,
        changed.id,
        changed.email,
        changed.email_key,
        changed.first_name,
        changed.last_name,
        changed.company,
        changed.fields,
        changed.version,
        changed.updated_at,
    )
    return status == "UPDATE 1"


async def delete_contact(contact_id: UUID) -> None:
    """Takes it off its lists, whose counts follow, and deletes it."""
    await current().execute(
        "UPDATE contact_lists SET contact_count = contact_count - 1 WHERE tenant_id = $1 AND id IN "
        "(SELECT list_id FROM contact_list_members WHERE tenant_id = $1 AND contact_id = $2)",
        current().tenant_id,
        contact_id,
    )
    await current().execute("DELETE FROM contacts WHERE tenant_id = $1 AND id = $2", current().tenant_id, contact_id)
