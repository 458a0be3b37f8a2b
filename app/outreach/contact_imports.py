"""Imports of contacts: look at an uploaded file, start, watch and cancel its import, read which rows were refused."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import NotFound, WrongState
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires, watches
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.live.topics import ContactImportProgressed
from app.live.watching import Only, state
from app.outreach.access import open_workspace, reach
from app.outreach.jobs import RunContactImport
from app.outreach.rules.contact_columns import Columns
from app.outreach.rules.csv_format import CsvFormat
from app.outreach.rules.import_plans import (
    ImportState,
    OnDuplicate,
    ReadingChoices,
    first_rows,
    format_to_json,
    plan_reading,
)
from app.outreach.uploads import CHUNK_BYTES, Upload, complete_upload, upload_chunk
from db.core.paging import Page
from db.queries.outreach import contact_imports as query
from db.queries.outreach import contact_lists

ContactImport = query.ContactImport
ImportError = query.ImportError

ERRORS_KEPT_FOR = timedelta(days=30)
_BATCH = 5_000
_NO_ERRORS: Page[ImportError] = Page([], False)
_NO_CHOICES = ReadingChoices()


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What a person asks for. Without a list, contacts come into the workspace only."""

    upload_id: UUID
    list_id: UUID | None = None
    on_duplicate: OnDuplicate = OnDuplicate.SKIP
    choices: ReadingChoices = field(default_factory=ReadingChoices)


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """How the file would be read; `rows` are its first rows as text."""

    upload: Upload
    format: CsvFormat
    columns: Columns
    rows: list[list[str]]


@requires(Permission.CONTACTS_IMPORT)
async def preview_contact_import(
    caller: Caller, upload_id: UUID, *, choices: ReadingChoices = _NO_CHOICES
) -> ImportPreview:
    """Raises NotFound, UploadIncomplete, FileUnreadable, Problems for columns, Forbidden."""
    upload, sample = await _sample(caller, upload_id)
    complete = len(sample) == upload.size_bytes
    form, columns = plan_reading(sample, complete=complete, choices=choices)
    rows = [row.cells for row in first_rows(sample, form, complete=complete) if row.cells]
    return ImportPreview(upload, form, columns, rows)


@requires(Permission.CONTACTS_IMPORT)
async def import_contacts(caller: Caller, workspace_id: UUID, order: ImportOrder) -> ContactImport:
    """Enqueues the import. An upload may be imported more than once.

    Raises NotFound, UploadIncomplete, FileUnreadable, Problems for columns, Forbidden.
    """
    upload, sample = await _sample(caller, order.upload_id)
    if upload.workspace_id != workspace_id:
        raise NotFound("upload in this workspace", ("input", "uploadId"))
    form, columns = plan_reading(sample, complete=len(sample) == upload.size_bytes, choices=order.choices)
    made = _new_row(caller, upload, order, form, columns)
    async with caller.transaction():
        await open_workspace(caller, workspace_id, Permission.CONTACTS_IMPORT)
        if order.list_id is not None:
            target = await contact_lists.list_by_id(order.list_id, lock=True)
            if target is None or target.workspace_id != workspace_id:
                raise NotFound("contact list in this workspace", ("input", "listId"))
        await query.insert_import(made)
        await enqueue(caller, RunContactImport(made.id, made.part))
        await tell(caller, made)
        await audit(
            caller,
            "contact_import.start",
            object_type="ContactImport",
            object_id=made.id,
            details={"file": upload.file_name, "sha256": upload.sha256.hex() if upload.sha256 else ""},
        )
    return made


def _new_row(caller: Caller, upload: Upload, order: ImportOrder, form: CsvFormat, columns: Columns) -> ContactImport:
    now = caller.now()
    return ContactImport(
        tenant_id=caller.tenant_id,
        id=new_id(),
        workspace_id=upload.workspace_id,
        list_id=order.list_id,
        upload_id=upload.id,
        file_name=upload.file_name,
        size_bytes=upload.size_bytes,
        state=ImportState.QUEUED,
        on_duplicate=order.on_duplicate,
        format=format_to_json(form),
        columns=list(columns),
        part=1,
        next_offset=form.data_offset,
        next_row=form.data_row,
        rows_read=0,
        rows_created=0,
        rows_updated=0,
        rows_duplicate=0,
        rows_rejected=0,
        failure=None,
        version=1,
        created_at=now,
        updated_at=now,
        finished_at=None,
    )


async def _sample(caller: Caller, upload_id: UUID) -> tuple[Upload, bytes]:
    upload = await complete_upload(caller, upload_id)
    return upload, await upload_chunk(caller, upload, 0)


assert CHUNK_BYTES >= 64 * 1024, "the first chunk is the sample that the format is recognised from"


@requires(Permission.CONTACTS_IMPORT)
async def cancel_contact_import(caller: Caller, import_id: UUID) -> ContactImport:
    """Contacts that were imported so far stay. Raises NotFound, WrongState when it has ended, Forbidden."""
    async with caller.transaction():
        found = await query.import_by_id(import_id, lock=True)
        running = reach(caller, found, Permission.CONTACTS_IMPORT, noun="contact import", field="importId")
        if running.finished_at is not None:
            raise WrongState(f"The import is {running.state}: there is nothing to cancel.", ("input", "importId"))
        now = caller.now()
        cancelled = replace(
            running, state=ImportState.CANCELLED, version=running.version + 1, updated_at=now, finished_at=now
        )
        await query.update_import(cancelled)
        await tell(caller, cancelled)
        await audit(caller, "contact_import.cancel", object_type="ContactImport", object_id=import_id)
    return cancelled


async def tell(caller: Caller, now: ContactImport) -> None:
    """Records where the import stands, in the transaction that brought it there."""
    await record(
        caller,
        ContactImportProgressed(
            workspace_id=now.workspace_id,
            object_id=now.id,
            version=now.version,
            state=now.state,
            rows_read=now.rows_read,
            rows_imported=now.rows_created + now.rows_updated,
            rows_duplicate=now.rows_duplicate,
            rows_rejected=now.rows_rejected,
        ),
    )


@requires(Permission.CONTACTS_READ)
async def contact_imports(caller: Caller, workspace_id: UUID, *, first: int, after: UUID | None) -> Page[ContactImport]:
    """Newest first; an empty page for a workspace that the caller does not see. Raises Forbidden."""
    if not caller.sees(workspace_id):
        return Page([], False)
    caller.must(Permission.CONTACTS_READ, workspace_id)
    async with caller.transaction(read_only=True):
        return await query.imports_of_workspace(workspace_id, first=first, after=after)


@requires(Permission.CONTACTS_READ)
async def contact_imports_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[ContactImport | None]:
    """In the order of `ids`; None for what the caller may not read or what is not there."""
    async with caller.transaction(read_only=True):
        rows = await query.imports_by_ids(ids)
    found = {row.id: row for row in rows if _may_read(caller, row)}
    return [found.get(import_id) for import_id in ids]


async def _import_for(caller: Caller, import_id: UUID) -> ContactImport:
    async with caller.transaction(read_only=True):
        found = await query.import_by_id(import_id)
    return reach(caller, found, Permission.CONTACTS_READ, noun="contact import")


@watches(Permission.CONTACTS_READ)
async def contact_import_status(caller: Caller, import_id: UUID) -> AsyncGenerator[ContactImport, None]:
    """The import as it stands, then at most once a second as it goes on. Raises NotFound."""
    load = partial(_import_for, import_id=import_id)
    watched = state(caller, only=Only(object_id=import_id), load=load, permission=Permission.CONTACTS_READ)
    async with aclosing(watched) as values:
        async for value in values:
            yield value


@requires(Permission.CONTACTS_READ)
async def import_errors(caller: Caller, import_id: UUID, *, first: int, after: int) -> Page[ImportError]:
    """Refused rows in the file's order, from behind row `after` (0 for the start). Raises NotFound, Forbidden."""
    async with caller.transaction(read_only=True):
        found = await query.import_by_id(import_id)
        reach(caller, found, Permission.CONTACTS_READ, noun="contact import", field="importId")
        return await query.errors_of_import(import_id, first=first, after=after)


@requires(Permission.CONTACTS_READ)
async def errors_of_imports(
    caller: Caller, import_ids: Sequence[UUID], *, first: int, after: int
) -> list[Page[ImportError]]:
    """A page of each import, in the order of `import_ids`; empty where the caller may not read the import."""
    async with caller.transaction(read_only=True):
        visible = [row.id for row in await query.imports_by_ids(import_ids) if _may_read(caller, row)]
        pages = await query.errors_of_imports(visible, first=first, after=after)
    return [pages.get(import_id, _NO_ERRORS) for import_id in import_ids]


def _may_read(caller: Caller, row: ContactImport) -> bool:
    return caller.sees(row.workspace_id) and caller.may(Permission.CONTACTS_READ, row.workspace_id)


async def expire_import_errors(caller: Caller) -> int:
    """Removes refused rows thirty days after their import ended. A cleaner."""
    before = caller.now() - ERRORS_KEPT_FOR
    removed = 0
    while True:
        async with caller.transaction():
            count = await query.delete_errors_before(before, limit=_BATCH)
        removed += count
        if count < _BATCH:
            return removed
