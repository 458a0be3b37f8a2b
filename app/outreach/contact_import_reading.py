"""The reading half of an import: rows behind the checkpoint, a batch at a time, while the batch before is being written."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

import orjson

from app.core.caller import Caller
from app.core.ids import new_ids_as_text
from app.outreach.rules.contact_csv import CsvRow, RowReader
from app.outreach.rules.contact_fields import ContactValues
from app.outreach.rules.contact_rows import contact_reader
from app.outreach.rules.import_plans import format_from_json
from app.outreach.uploads import CHUNK_BYTES, Upload, upload_chunk
from db.queries.outreach.contact_imports import ContactImport
from db.queries.outreach.imported_contacts import ImportedContact

BATCH_ROWS = 8_000

Found = tuple[CsvRow, ContactValues]


@dataclass(slots=True)
class Batch:
    """Rows that follow the checkpoint, and the checkpoint behind them.

    `contacts` are by key; `fresh` are the same as rows to insert, in the order of their keys, with ascending ids.
    `all_new` says once written whether the workspace knew none of them; then the next batch is tried as one of new ones.
    """

    start: int
    contacts: dict[str, Found] = field(default_factory=dict)
    repeated: list[CsvRow] = field(default_factory=list)
    refused: list[CsvRow] = field(default_factory=list)
    fresh: list[ImportedContact] = field(default_factory=list)
    next_offset: int = 0
    next_row: int = 0
    is_last: bool = False
    expects_none: bool = False
    all_new: bool = False

    @property
    def rows(self) -> int:
        return len(self.contacts) + len(self.repeated) + len(self.refused)


class Source:
    """Reads the upload from the checkpoint on, a chunk at a time; parsing runs beside the event loop."""

    def __init__(self, caller: Caller, upload: Upload, running: ContactImport) -> None:
        self._caller = caller
        self._upload = upload
        self._read = contact_reader(tuple(running.columns))
        self._position = running.next_offset
        form = format_from_json(running.format)
        self._reader = RowReader(form, offset=running.next_offset, number=running.next_row)

    async def batches(self, most: int) -> AsyncGenerator[tuple[int, Batch], None]:
        """At most `most`, numbered from 1. Raises UploadIncomplete."""
        reading = asyncio.create_task(self._next_batch(least_rows=1))  # soon at work, and soon to be seen
        try:
            for number in range(1, most + 1):
                batch = await reading
                if not batch.is_last and number < most:
                    reading = asyncio.create_task(self._next_batch(least_rows=BATCH_ROWS))
                yield number, batch
                if batch.is_last:
                    return
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _next_batch(self, *, least_rows: int) -> Batch:
        """So many rows and at most a chunk more, or what is left."""
        batch = Batch(self._reader.offset)
        while batch.rows < least_rows and not batch.is_last:
            number, skip = divmod(self._position, CHUNK_BYTES)
            data = (await upload_chunk(self._caller, self._upload, number))[skip:]
            self._position += len(data)
            batch.is_last = self._position >= self._upload.size_bytes
            await asyncio.to_thread(self._parse, data, batch)
        batch.next_offset, batch.next_row = self._reader.offset, self._reader.number
        await asyncio.to_thread(_make_ready, batch)
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


def _make_ready(batch: Batch) -> None:
    in_order = [batch.contacts[key][1] for key in sorted(batch.contacts)]
    batch.fresh = rows_of(zip(new_ids_as_text(len(in_order)), in_order, strict=True))


def rows_of(contacts: Iterable[tuple[str, ContactValues]]) -> list[ImportedContact]:
    """From ids and values, as the bulk statements take them."""
    return [
        ImportedContact(made, address, key, first_name, last_name, company, orjson.dumps(fields).decode())
        for made, ((address, key), first_name, last_name, company, fields) in contacts
    ]
