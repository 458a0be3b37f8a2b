"""The import's bulk statements: thousands of contacts at once, as arrays. COPY into walled tables is refused by PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from asyncpg import UniqueViolationError

from db.core.transaction import current


class ImportedContact(NamedTuple):
    """One contact as it comes from a file. `id` is a UUID's text and `fields` JSON's: cheaper to send, by the thousand."""

    id: str
    email: str
    email_key: str
    first_name: str
    last_name: str
    company: str
    fields: str


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact that is there already, and the import that last wrote it."""

    id: UUID
    import_id: UUID | None


@dataclass(frozen=True, slots=True)
class Import:
    """Where imported contacts go: into the workspace, and onto the list if there is one."""

    id: UUID
    workspace_id: UUID
    list_id: UUID | None
    at: datetime


async def known_contacts(workspace_id: UUID, keys: Sequence[str], *, lock: bool) -> dict[str, KnownContact]:
    """By key. Locks them in the order of their keys, so that imports at the same time cannot deadlock.

    The planner must not be asked how: with no statistics yet, or with those from before this workspace was filled, it
    reads the whole workspace for every key (2 ms a key at 20,000 contacts, and growing). LATERAL asks for one key at a
    time, and without sorting, for the rest of this transaction, only the unique index can answer in order.
    """
    await current().execute("SET LOCAL enable_sort = off")
    rows = await current().fetch(
        "SELECT c.email_key, c.id, c.import_id FROM unnest($3::text[]) AS k (email_key) CROSS JOIN LATERAL ("
        "SELECT o.email_key, o.id, o.import_id FROM contacts o WHERE o.tenant_id = $1 AND o.workspace_id = $2 "
        "AND o.email_key BETWEEN k.email_key AND k.email_key ORDER BY o.email_key "
        f"LIMIT 1 {'FOR UPDATE' if lock else ''}) c",
        current().tenant_id,
        workspace_id,
        sorted(keys),
    )
    return {row["email_key"]: KnownContact(row["id"], row["import_id"]) for row in rows}


_INSERT = (
    "INSERT INTO contacts (tenant_id, id, workspace_id, email, email_key, first_name, last_name, company, fields, "
    "status, import_id, version, created_at, updated_at) "
    "SELECT $1, n.id, $2, n.email, n.email_key, n.first_name, n.last_name, n.company, n.fields::jsonb, 'active', $3, 1, "
    "$4, $4 FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[]) "
    "AS n (id, email, email_key, first_name, last_name, company, fields)"
)
_LEAVE_KNOWN = " ON CONFLICT (tenant_id, workspace_id, email_key) DO NOTHING"


async def insert_imported(target: Import, contacts: Sequence[ImportedContact], *, expects_none: bool) -> int:
    """How many were inserted, and put on the list; the others are in the workspace already.

    Give them in the order of their keys, so that imports at the same time cannot deadlock, and with ascending ids: then
    three of the four indexes that are written to grow at their ends only. The list's count is the caller's to move.
    With `expects_none` they are first inserted as if none was there, which costs a tenth less where that is so.
    """
    values = [current().tenant_id, target.workspace_id, target.id, target.at, *_arrays(contacts)]
    if target.list_id is not None:
        values.append(target.list_id)
    if expects_none:
        await current().execute("SAVEPOINT imported")
        try:
            return _count(await current().execute(_inserting(target, ""), *values))
        except UniqueViolationError:
            await current().execute("ROLLBACK TO SAVEPOINT imported")
    return _count(await current().execute(_inserting(target, _LEAVE_KNOWN), *values))


def _inserting(target: Import, conflict: str) -> str:
    if target.list_id is None:
        return _INSERT + conflict
    return (
        f"WITH made AS ({_INSERT}{conflict} RETURNING id) "
        "INSERT INTO contact_list_members (tenant_id, list_id, contact_id, added_at) "
        "SELECT $1, $12, made.id, $4 FROM made"
    )


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


async def update_imported(target: Import, contacts: Sequence[ImportedContact]) -> None:
    """Fills in what the file has: blank values change nothing, custom fields are merged. All must be there, by their keys.

    An INSERT finds each by the unique index; an UPDATE would be planned, and may read the whole workspace for a batch.
    """
    await current().execute(
        f"{_INSERT} ON CONFLICT (tenant_id, workspace_id, email_key) DO UPDATE SET "
        "first_name = COALESCE(NULLIF(excluded.first_name, ''), contacts.first_name), "
        "last_name = COALESCE(NULLIF(excluded.last_name, ''), contacts.last_name), "
        "company = COALESCE(NULLIF(excluded.company, ''), contacts.company), fields = contacts.fields || excluded.fields, "
        "import_id = excluded.import_id, version = contacts.version + 1, updated_at = excluded.updated_at",
        current().tenant_id,
        target.workspace_id,
        target.id,
        target.at,
        *_arrays(contacts),
    )


def _arrays(contacts: Sequence[ImportedContact]) -> list[list[object]]:
    return [list(column) for column in zip(*contacts, strict=True)]
