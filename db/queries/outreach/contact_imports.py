"""Imports of contacts: where each stands, and the rows that became no contact."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row, pages_by_owner
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class ContactImport:
    """`format` and `columns` say how the file is read; the next_ and rows_ fields are its checkpoint."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    list_id: UUID | None
    upload_id: UUID
    file_name: str
    size_bytes: int
    state: str
    on_duplicate: str
    format: dict[str, Any]
    columns: list[str | None]
    part: int
    next_offset: int
    next_row: int
    rows_read: int
    rows_created: int
    rows_updated: int
    rows_duplicate: int
    rows_rejected: int
    failure: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ImportError:
    """A row of the file that became no contact. `cells` are as they stood in the file, shortened where very long."""

    row_number: int
    problem: str
    message: str
    cells: list[str]


async def insert_import(made: ContactImport) -> None:
    names = ContactImport.__slots__
    await current().execute(
        f"INSERT INTO contact_imports ({columns(ContactImport)}) "
        f"VALUES ({', '.join(f'${at + 1}' for at in range(len(names)))})",
        *(getattr(made, name) for name in names),
    )


async def import_by_id(import_id: UUID, *, lock: bool = False) -> ContactImport | None:
    return await one_row(
        ContactImport,
        f"SELECT {columns(ContactImport)} FROM contact_imports WHERE tenant_id = $1 AND id = $2 "
        f"{'FOR UPDATE' if lock else ''}",
        current().tenant_id,
        import_id,
    )


async def imports_by_ids(ids: Sequence[UUID]) -> list[ContactImport]:
    """Those that exist, in no order."""
    return await all_rows(
        ContactImport,
        f"SELECT {columns(ContactImport)} FROM contact_imports WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def imports_of_workspace(workspace_id: UUID, *, first: int, after: UUID | None) -> Page[ContactImport]:
    """Newest first."""
    rows = await all_rows(
        ContactImport,
        f"SELECT {columns(ContactImport)} FROM contact_imports WHERE tenant_id = $1 AND workspace_id = $2 "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        current().tenant_id,
        workspace_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def uploads_in_use() -> set[UUID]:
    """Uploads that an unfinished import still reads."""
    rows = await current().fetch(
        "SELECT upload_id FROM contact_imports WHERE tenant_id = $1 AND finished_at IS NULL", current().tenant_id
    )
    return {row["upload_id"] for row in rows}


async def update_import(changed: ContactImport) -> None:
    """Writes what moves: state, part, checkpoint, counts. The row must be locked."""
    await current().execute(
        "UPDATE contact_imports SET state = $3, part = $4, next_offset = $5, next_row = $6, rows_read = $7, "
        "rows_created = $8, rows_updated = $9, rows_duplicate = $10, rows_rejected = $11, failure = $12, version = $13, "
        "updated_at = $14, finished_at = $15 WHERE tenant_id = $1 AND id = $2",
        changed.tenant_id,
        changed.id,
        changed.state,
        changed.part,
        changed.next_offset,
        changed.next_row,
        changed.rows_read,
        changed.rows_created,
        changed.rows_updated,
        changed.rows_duplicate,
        changed.rows_rejected,
        changed.failure,
        changed.version,
        changed.updated_at,
        changed.finished_at,
    )


async def insert_errors(import_id: UUID, errors: Sequence[ImportError]) -> None:
    await current().execute(
        "INSERT INTO contact_import_errors (tenant_id, import_id, row_number, problem, message, cells) "
        "SELECT $1, $2, e.row_number, e.problem, e.message, e.cells::jsonb "
        "FROM unnest($3::int[], $4::text[], $5::text[], $6::text[]) AS e (row_number, problem, message, cells)",
        current().tenant_id,
        import_id,
        [error.row_number for error in errors],
        [error.problem for error in errors],
        [error.message for error in errors],
        [orjson.dumps(error.cells).decode() for error in errors],  # a list of lists would read as one array
    )


async def errors_of_import(import_id: UUID, *, first: int, after: int) -> Page[ImportError]:
    """In the file's order, from behind row `after`."""
    pages = await errors_of_imports([import_id], first=first, after=after)
    return pages.get(import_id, Page([], False))


async def errors_of_imports(import_ids: Sequence[UUID], *, first: int, after: int) -> dict[UUID, Page[ImportError]]:
    """A page of each import, in its file's order, from behind row `after`; imports without errors are left out."""
    return await pages_by_owner(
        ImportError,
        f"SELECT e.import_id, {columns(ImportError, 'e')} FROM unnest($2::uuid[]) i (id) CROSS JOIN LATERAL ("
        "SELECT * FROM contact_import_errors t WHERE t.tenant_id = $1 AND t.import_id = i.id AND t.row_number > $3 "
        "ORDER BY t.row_number LIMIT $4) e ORDER BY e.import_id, e.row_number",
        current().tenant_id,
        list(import_ids),
        after,
        first + 1,
        first=first,
    )


async def delete_errors_before(moment: datetime, *, limit: int) -> int:
    """Removes error rows of imports that finished before `moment`."""
    status = await current().execute(
        "DELETE FROM contact_import_errors WHERE tenant_id = $1 AND (import_id, row_number) IN ("
        "SELECT e.import_id, e.row_number FROM contact_imports i JOIN contact_import_errors e "
        "ON e.tenant_id = i.tenant_id AND e.import_id = i.id WHERE i.tenant_id = $1 AND i.finished_at < $2 LIMIT $3)",
        current().tenant_id,
        moment,
        limit,
    )
    return int(status.rpartition(" ")[2])
