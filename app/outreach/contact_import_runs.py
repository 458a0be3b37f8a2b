"""The work of an import: a part of the file per job, a batch of rows per transaction, with the checkpoint in the same one.

A worker that dies leaves the last committed batch; the job runs again and goes on behind it. A job that was given up for
dead but still runs cannot write: its batch no longer fits the checkpoint.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from uuid import UUID

from app.core.caller import Caller
from app.jobs.outbox import enqueue
from app.outreach.contact_import_reading import Batch, Found, Source, rows_of
from app.outreach.contact_imports import tell
from app.outreach.jobs import RunContactImport
from app.outreach.rules.contact_csv import CsvRow, RowProblem
from app.outreach.rules.import_plans import ImportState, OnDuplicate
from app.outreach.uploads import UploadIncomplete, complete_upload
from db.queries.outreach import contact_imports as query
from db.queries.outreach import contact_lists
from db.queries.outreach import imported_contacts as bulk
from db.queries.outreach.contact_imports import ContactImport, ImportError
from db.queries.outreach.imported_contacts import Import, ImportedContact

BATCHES_PER_PART = 10
MOST_ERRORS_KEPT = 100_000
_LONGEST_KEPT_CELL = 500
_MOST_KEPT_CELLS = 60
_EARLIER = "An earlier row of the file has this address."


async def run_contact_import(caller: Caller, import_id: UUID, part: int) -> None:
    """Imports up to BATCHES_PER_PART batches, then enqueues the next part. Safe to run twice, also at the same time."""
    running = await _begin(caller, import_id, part)
    if running is None:
        return
    try:
        upload = await complete_upload(caller, running.upload_id)
        async with aclosing(Source(caller, upload, running).batches(BATCHES_PER_PART)) as batches:
            all_new = False
            async for number, batch in batches:
                batch.expects_none = all_new
                if not await _commit(caller, import_id, batch, hand_over=number == BATCHES_PER_PART):
                    return
                all_new = batch.all_new
    except UploadIncomplete as error:
        await _fail(caller, import_id, part, error.message)


async def _begin(caller: Caller, import_id: UUID, part: int) -> ContactImport | None:
    """The import, now running; None when there is nothing left for this job to do."""
    async with caller.transaction():
        found = await query.import_by_id(import_id, lock=True)
        if found is None or found.part != part or found.finished_at is not None:
            return None
        if found.state == ImportState.RUNNING:
            return found
        running = replace(found, state=ImportState.RUNNING, version=found.version + 1, updated_at=caller.now())
        await query.update_import(running)
        await tell(caller, running)
        return running


async def _fail(caller: Caller, import_id: UUID, part: int, reason: str) -> None:
    async with caller.transaction():
        found = await query.import_by_id(import_id, lock=True)
        if found is None or found.part != part or found.finished_at is not None:
            return
        now = caller.now()
        failed = replace(
            found, state=ImportState.FAILED, failure=reason, version=found.version + 1, updated_at=now, finished_at=now
        )
        await query.update_import(failed)
        await tell(caller, failed)


async def _commit(caller: Caller, import_id: UUID, batch: Batch, *, hand_over: bool) -> bool:
    """Writes the batch, all or nothing. False when this job is done: the file has ended, another job goes on, or cancelled."""
    async with caller.transaction():
        found = await query.import_by_id(import_id, lock=True)
        if found is None or found.finished_at is not None or found.next_offset != batch.start:
            return False
        outcome = await _write(caller, found, batch)
        now = caller.now()
        moved = replace(
            found,
            state=ImportState.COMPLETED if batch.is_last else ImportState.RUNNING,
            part=found.part + 1 if hand_over and not batch.is_last else found.part,
            next_offset=batch.next_offset,
            next_row=batch.next_row,
            rows_read=found.rows_read + batch.rows,
            rows_created=found.rows_created + outcome.created,
            rows_updated=found.rows_updated + outcome.updated,
            rows_duplicate=found.rows_duplicate + len(outcome.duplicates),
            rows_rejected=found.rows_rejected + len(batch.refused),
            version=found.version + 1,
            updated_at=now,
            finished_at=now if batch.is_last else None,
        )
        await _keep_errors(found, [*batch.refused, *outcome.duplicates])
        await query.update_import(moved)
        await tell(caller, moved)
        if moved.part != found.part:
            await enqueue(caller, RunContactImport(import_id, moved.part))
        return not batch.is_last and moved.part == found.part


@dataclass(slots=True)
class _Outcome:
    created: int = 0
    updated: int = 0
    duplicates: list[CsvRow] = field(default_factory=list)


async def _write(caller: Caller, running: ContactImport, batch: Batch) -> _Outcome:
    """Contacts and their place on the list."""
    outcome = _Outcome(duplicates=[_duplicate(row, _EARLIER) for row in batch.repeated])
    if not batch.contacts:
        return outcome
    target = Import(running.id, running.workspace_id, running.list_id, caller.now())
    outcome.created = await bulk.insert_imported(target, batch.fresh, expects_none=batch.expects_none)
    if running.list_id is not None:
        await contact_lists.move_count(running.list_id, outcome.created, target.at)
    batch.all_new = outcome.created == len(batch.fresh)
    if not batch.all_new:
        await _meet_known(target, running, batch, outcome)
    return outcome


async def _meet_known(target: Import, running: ContactImport, batch: Batch, outcome: _Outcome) -> None:
    """Looks up who had been there before, to be updated or left."""
    made = {contact.id for contact in batch.fresh}
    updates = running.on_duplicate == OnDuplicate.UPDATE
    found = await bulk.known_contacts(running.workspace_id, list(batch.contacts), lock=updates)
    known = {key: contact for key, contact in found.items() if str(contact.id) not in made}
    changed = _known_rows(running, batch.contacts, known, outcome)
    if updates and changed:
        await bulk.update_imported(target, changed)
        outcome.updated = len(changed)
    if running.list_id is not None:
        await contact_lists.add_members(running.list_id, [contact.id for contact in known.values()], at=target.at)


def _known_rows(
    running: ContactImport,
    by_key: Mapping[str, Found],
    known: dict[str, bulk.KnownContact],
    outcome: _Outcome,
) -> list[ImportedContact]:
    """What to update; the rest of the known ones are duplicates."""
    changed: list[ImportedContact] = []
    for key, contact in known.items():
        row, values = by_key[key]
        if contact.import_id == running.id:
            outcome.duplicates.append(_duplicate(row, _EARLIER))
        elif running.on_duplicate == OnDuplicate.UPDATE:
            changed += rows_of([(str(contact.id), values)])
        else:
            outcome.duplicates.append(_duplicate(row, "The workspace has this contact already; it was left as it is."))
    return changed


def _duplicate(row: CsvRow, message: str) -> CsvRow:
    return row._replace(problem=RowProblem.DUPLICATE, message=message)


async def _keep_errors(running: ContactImport, rows: Sequence[CsvRow]) -> None:
    """The first MOST_ERRORS_KEPT of an import, with their cells; the counts go on."""
    room = MOST_ERRORS_KEPT - running.rows_rejected - running.rows_duplicate
    kept = sorted(rows, key=lambda row: row.number)[: max(0, room)]
    if kept:
        await query.insert_errors(running.id, [_error(row) for row in kept])


def _error(row: CsvRow) -> ImportError:
    """NUL has no place in PostgreSQL's text, and lone surrogates none in UTF-8; both are shown as U+FFFD."""
    assert row.problem is not None
    cells = [_storable(cell[:_LONGEST_KEPT_CELL]) for cell in row.cells[:_MOST_KEPT_CELLS]]
    return ImportError(row.number, row.problem, _storable(row.message), cells)


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
