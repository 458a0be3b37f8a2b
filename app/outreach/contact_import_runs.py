"""The work of an import: a part of the file per job, a batch of rows per transaction, with the checkpoint in the same one.

A worker that dies leaves the last committed batch; the job runs again and goes on behind it. A job that was given up for
dead but still runs cannot write: its batch no longer fits the checkpoint.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from uuid import UUID

from app.core.caller import Caller
from app.core.ids import new_ids_as_text
from app.jobs.outbox import enqueue
from app.outreach.contact_imports import tell
from app.outreach.jobs import RunContactImport
from app.outreach.rules.contact_csv import CsvRow, RowProblem, RowReader
from app.outreach.rules.contact_fields import ContactValues
from app.outreach.rules.contact_rows import contact_reader
from app.outreach.rules.import_plans import ImportState, OnDuplicate, format_from_json
from app.outreach.uploads import CHUNK_BYTES, Upload, UploadIncomplete, complete_upload, upload_chunk
from db.queries.outreach import contact_imports as query
from db.queries.outreach import contact_lists
from db.queries.outreach import imported_contacts as bulk
from db.queries.outreach.contact_imports import ContactImport, ImportError
from db.queries.outreach.imported_contacts import Import, ImportedContact

BATCH_ROWS = 8_000
BATCHES_PER_PART = 25
MOST_ERRORS_KEPT = 100_000
_LONGEST_KEPT_CELL = 500
_MOST_KEPT_CELLS = 60
_EARLIER = "An earlier row of the file has this address."


Found = tuple[CsvRow, ContactValues]


@dataclass(slots=True)
class Batch:
    """Rows that follow the checkpoint, and the checkpoint behind them. `contacts` are by key, and sorted by it in the end."""

    start: int
    contacts: dict[str, Found] = field(default_factory=dict)
    repeated: list[CsvRow] = field(default_factory=list)
    refused: list[CsvRow] = field(default_factory=list)
    next_offset: int = 0
    next_row: int = 0
    is_last: bool = False

    @property
    def rows(self) -> int:
        return len(self.contacts) + len(self.repeated) + len(self.refused)


async def run_contact_import(caller: Caller, import_id: UUID, part: int) -> None:
    """Imports up to BATCHES_PER_PART batches, then enqueues the next part. Safe to run twice, also at the same time."""
    running = await _begin(caller, import_id, part)
    if running is None:
        return
    try:
        upload = await complete_upload(caller, running.upload_id)
        async with aclosing(_batches(_Source(caller, upload, running))) as batches:
            async for number, batch in batches:
                if not await _commit(caller, import_id, batch, hand_over=number == BATCHES_PER_PART):
                    return
    except UploadIncomplete as error:
        await _fail(caller, import_id, part, error.message)


async def _batches(source: "_Source") -> AsyncGenerator[tuple[int, "Batch"], None]:
    """Numbered from 1. The next batch is read and parsed while this one is written."""
    reading = asyncio.create_task(source.next_batch())
    try:
        for number in range(1, BATCHES_PER_PART + 1):
            batch = await reading
            if not batch.is_last and number < BATCHES_PER_PART:
                reading = asyncio.create_task(source.next_batch())
            yield number, batch
            if batch.is_last:
                return
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


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


class _Source:
    """Reads the upload from the checkpoint on, a chunk at a time; parsing runs beside the event loop."""

    def __init__(self, caller: Caller, upload: Upload, running: ContactImport) -> None:
        self._caller = caller
        self._upload = upload
        self._read = contact_reader(tuple(running.columns))
        self._position = running.next_offset
        form = format_from_json(running.format)
        self._reader = RowReader(form, offset=running.next_offset, number=running.next_row)

    async def next_batch(self) -> Batch:
        """At least BATCH_ROWS rows, or what is left. Raises UploadIncomplete."""
        batch = Batch(self._reader.offset)
        while batch.rows < BATCH_ROWS and not batch.is_last:
            number, skip = divmod(self._position, CHUNK_BYTES)
            data = (await upload_chunk(self._caller, self._upload, number))[skip:]
            self._position += len(data)
            batch.is_last = self._position >= self._upload.size_bytes
            await asyncio.to_thread(self._parse, data, batch)
        batch.next_offset, batch.next_row = self._reader.offset, self._reader.number
        batch.contacts = dict(sorted(batch.contacts.items()))
        return batch

    def _parse(self, data: bytes, batch: Batch) -> None:
        """The first row of an address counts; later ones repeat it."""
        contacts, read = batch.contacts, self._read
        for row in self._reader.feed(data, last=batch.is_last):
            values = read(row)
            if not isinstance(values, ContactValues):
                batch.refused.append(values)
            elif contacts.setdefault(values.email.key, found := (row, values)) is not found:
                batch.repeated.append(row)


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
    fresh = _imported(batch.contacts.values())
    outcome.created = await bulk.insert_imported(target, fresh)
    if running.list_id is not None:
        await contact_lists.move_count(running.list_id, outcome.created, target.at)
    if outcome.created < len(fresh):
        await _meet_known(target, running, batch, {contact.id for contact in fresh}, outcome)
    return outcome


async def _meet_known(
    target: Import, running: ContactImport, batch: Batch, made: Collection[str], outcome: _Outcome
) -> None:
    """Looks up who had been there before, to be updated or left."""
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
    changed = []
    for key, contact in known.items():
        row, values = by_key[key]
        if contact.import_id == running.id:
            outcome.duplicates.append(_duplicate(row, _EARLIER))
        elif running.on_duplicate == OnDuplicate.UPDATE:
            changed.append(_imported([(row, values)])[0]._replace(id=str(contact.id)))
        else:
            outcome.duplicates.append(_duplicate(row, "The workspace has this contact already; it was left as it is."))
    return changed


def _imported(found: Iterable[Found]) -> list[ImportedContact]:
    """With new ids, ascending in the order given."""
    rows = list(found)
    return [
        ImportedContact(made, email.address, email.key, first_name, last_name, company, fields)
        for made, (_row, (email, first_name, last_name, company, fields)) in zip(
            new_ids_as_text(len(rows)), rows, strict=True
        )
    ]


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
