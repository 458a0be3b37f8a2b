"""Imports of contacts in the public schema."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import contact_imports as use
from app.outreach import contact_reports
from app.outreach.contact_imports import ContactImport as ContactImportRow
from app.outreach.contact_imports import ImportError as ImportErrorRow
from app.outreach.rules.contact_csv import RowProblem
from app.outreach.rules.import_plans import ImportState, OnDuplicate, ReadingChoices
from graph.context import Context, Info
from graph.core.connections import (
    After,
    Connection,
    First,
    PageOf,
    Part,
    Window,
    bounded,
    connection,
    load_parts,
    window,
)
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.core.subscription import subscription

describe_enum(
    ImportState,
    "How far an import is.",
    {
        ImportState.QUEUED: "Waits for a worker.",
        ImportState.RUNNING: "Rows are being read.",
        ImportState.COMPLETED: "Every row of the file was read.",
        ImportState.CANCELLED: "It was stopped; what was imported stays.",
        ImportState.FAILED: "It could not go on; `problem` says why.",
    },
    name="ContactImportState",
)
describe_enum(
    OnDuplicate,
    "What happens to contacts that the workspace has already.",
    {
        OnDuplicate.SKIP: "They stay as they are; they still come on the list.",
        OnDuplicate.UPDATE: "What the file has is filled in; blank cells change nothing.",
    },
)
describe_enum(
    RowProblem,
    "Why a row became no contact.",
    {
        RowProblem.NO_ADDRESS: "The cell of the e-mail address is blank.",
        RowProblem.INVALID_VALUE: "The address or another value cannot be used.",
        RowProblem.DUPLICATE: "The address came earlier in the file, or the workspace has it.",
        RowProblem.TOO_MANY_CELLS: "The row has more cells than the header.",
        RowProblem.TOO_LONG: "A value, or the whole row, is too long.",
        RowProblem.NOT_TEXT: "The row is not text in the file's encoding.",
        RowProblem.UNREADABLE: "The row is not CSV: a quote is never closed, for example.",
    },
)


# ---- types
@strawberry.type(description="Which field of a contact a column of the file fills.")
class ContactImportColumn:
    header: str = strawberry.field(description="The column's header.")
    field: str | None = strawberry.field(description="The field's name as templates use it; null when it is left out.")


@strawberry.type(description="A row of the file that became no contact.")
class ContactImportError:
    row_number: int = strawberry.field(description="The row, counted as a spreadsheet does, the header being row 1.")
    problem: RowProblem = strawberry.field(description="What kind of problem it is.")
    message: str = strawberry.field(description="What to do, in a sentence.")
    cells: list[str] = strawberry.field(
        description="The row's cells as they stood in the file, very long ones cut.",
        metadata=bounded("at most 60 cells"),
    )

    @staticmethod
    def of(row: ImportErrorRow) -> "ContactImportError":
        return ContactImportError(
            row_number=row.row_number, problem=RowProblem(row.problem), message=row.message, cells=list(row.cells)
        )


@strawberry.type(description="The import of a CSV file: each row becomes a contact, or has a reason why not.")
class ContactImport(Node):
    row: strawberry.Private[ContactImportRow]
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the contacts come into.")
    list_id: strawberry.ID | None = strawberry.field(description="The list that they come on, if any.")
    upload_id: strawberry.ID = strawberry.field(description="The uploaded file.")
    file_name: str = strawberry.field(description="The file's name, as given.")
    state: ImportState = strawberry.field(description="How far it is.")
    on_duplicate: OnDuplicate = strawberry.field(description="What happens to contacts that are there already.")
    encoding: str = strawberry.field(description="The encoding that the file is read in.")
    delimiter: str = strawberry.field(description="What separates its cells.")
    columns: list[ContactImportColumn] = strawberry.field(
        description="What each column fills.", metadata=bounded("at most 200 columns")
    )
    rows_read: int = strawberry.field(description="Rows read so far: imported, duplicate and rejected together.")
    rows_imported: int = strawberry.field(description="Rows that made or updated a contact.")
    rows_updated: int = strawberry.field(description="Those of them that updated a contact.")
    rows_duplicate: int = strawberry.field(description="Rows whose address was there already.")
    rows_rejected: int = strawberry.field(description="Rows that could not be used.")
    progress: float = strawberry.field(description="The part of the file that was read, 0 to 1.")
    problem: str | None = strawberry.field(description="Why it failed.")
    version: int = strawberry.field(description="Counts the changes.")
    created_at: datetime = strawberry.field(description="When it was ordered.")
    updated_at: datetime = strawberry.field(description="When it last went on.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")

    @staticmethod
    def of(row: ContactImportRow) -> "ContactImport":
        pairs = zip(row.format["header"], row.columns, strict=True)
        return ContactImport(
            row=row,
            id=global_id("ContactImport", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            list_id=None if row.list_id is None else global_id("ContactList", row.list_id),
            upload_id=global_id("Upload", row.upload_id),
            file_name=row.file_name,
            state=ImportState(row.state),
            on_duplicate=OnDuplicate(row.on_duplicate),
            encoding=row.format["encoding"],
            delimiter=row.format["delimiter"],
            columns=[ContactImportColumn(header=header, field=field) for header, field in pairs],
            rows_read=row.rows_read,
            rows_imported=row.rows_created + row.rows_updated,
            rows_updated=row.rows_updated,
            rows_duplicate=row.rows_duplicate,
            rows_rejected=row.rows_rejected,
            progress=1.0 if row.state == ImportState.COMPLETED else row.next_offset / max(1, row.size_bytes),
            problem=row.failure,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
            finished_at=row.finished_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[ContactImport | None]":
        rows = await use.contact_imports_by_ids(context.caller, ids)
        return [ContactImport.of(row) if row else None for row in rows]

    @strawberry.field(  # type: ignore[untyped-decorator]
        description="Where the rows that became no contact can be read as CSV for an hour; null when there are none. "
        "It is a secret: it needs no sign-in."
    )
    def error_report_url(self, info: Info) -> str | None:
        if not contact_reports.has_report(self.row):
            return None
        resources = info.context.caller.resources
        return resources.settings.public_url.rstrip("/") + contact_reports.report_path(resources, self.row)

    @query(uses=use.errors_of_imports, description="The rows that became no contact, in the file's order.")
    async def errors(self, info: Info, first: First = 25, after: After = None) -> Connection[ContactImportError]:
        rows = await info.context.loaders.load(errors_by_import, (self.row.id, window(first, after)))
        return connection(rows, ContactImportError.of, cursor=lambda row: str(row.row_number))


def row_number_of(cursor: str | None) -> int:
    """The row that a cursor stands for; 0 for none, and for a cursor of another list."""
    return int(cursor) if cursor is not None and cursor.isdecimal() and len(cursor) < 10 else 0


@strawberry.type(description="How an uploaded file would be read.")
class ContactImportPreview:
    encoding: str = strawberry.field(description="The encoding that it seems to be in.")
    delimiter: str = strawberry.field(description="What separates its cells.")
    has_header: bool = strawberry.field(description="Whether its first row is a header.")
    columns: list[ContactImportColumn] = strawberry.field(
        description="What each column would fill.", metadata=bounded("at most 200 columns")
    )
    rows: list[list[str]] = strawberry.field(
        description="The cells of its first rows.", metadata=bounded("at most 10 rows")
    )
    size_bytes: int = strawberry.field(description="The file's size.")


# ---- inputs
@strawberry.input(description="Which field a column fills.")
class ColumnMappingInput:
    column: str = strawberry.field(description="The column's header as it stands in the file.")
    field: str | None = strawberry.field(
        default=None,
        description="email, first_name, last_name, company or a custom field's name; null leaves the column out.",
    )


@strawberry.input(description="What previewContactImport needs.")
class PreviewContactImportInput:
    upload_id: strawberry.ID = strawberry.field(description="A complete upload.")
    mapping: list[ColumnMappingInput] | None = strawberry.field(
        default=None, description="Columns to read otherwise than by their header's meaning."
    )
    encoding: str | None = strawberry.field(
        default=None, description="An encoding such as cp1252, where the guess is wrong."
    )


@strawberry.input(description="What importContacts needs.")
class ImportContactsInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the contacts come into.")
    upload_id: strawberry.ID = strawberry.field(description="A complete upload of this workspace.")
    list_id: strawberry.ID | None = strawberry.field(default=None, description="A list that they come on.")
    on_duplicate: OnDuplicate = strawberry.field(
        default=OnDuplicate.SKIP, description="What happens to contacts that are there already."
    )
    mapping: list[ColumnMappingInput] | None = strawberry.field(
        default=None, description="Columns to read otherwise than by their header's meaning."
    )
    encoding: str | None = strawberry.field(
        default=None, description="An encoding such as cp1252, where the guess is wrong."
    )


@strawberry.input(description="What cancelContactImport needs.")
class CancelContactImportInput(IdempotentInput):
    import_id: strawberry.ID = strawberry.field(description="The import to stop.")


# ---- payloads
@strawberry.type(description="The answer of previewContactImport.")
class PreviewContactImportPayload(Payload):
    preview: ContactImportPreview | None = strawberry.field(default=None, description="How it would be read.")


@strawberry.type(description="The answer of importContacts.")
class ImportContactsPayload(Payload):
    contact_import: ContactImport | None = strawberry.field(default=None, description="The import, queued.")


@strawberry.type(description="The answer of cancelContactImport.")
class CancelContactImportPayload(Payload):
    contact_import: ContactImport | None = strawberry.field(default=None, description="The import, cancelled.")


# ---- loaders
async def errors_by_import(context: Context, parts: Sequence[Part]) -> list[PageOf[ImportErrorRow]]:
    async def load(import_ids: list[UUID], page: Window) -> Sequence[PageOf[ImportErrorRow]]:
        after = row_number_of(page.text)
        return await use.errors_of_imports(context.caller, import_ids, first=page.first, after=after)

    return await load_parts(parts, load)


# ---- queries
@strawberry.type
class ContactImportQueries:
    @query(uses=use.contact_imports, description="The imports of a workspace, newest first.")
    async def contact_imports(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        first: First = 25,
        after: After = None,
    ) -> Connection[ContactImport]:
        page = window(first, after)
        place = local_id(workspace_id, "Workspace")
        rows = await use.contact_imports(info.context.caller, place, first=page.first, after=page.after)
        return connection(rows, ContactImport.of)

    @query(uses=use.contact_imports_by_ids, description="One import, or null.")
    async def contact_import(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The import's id.")]
    ) -> ContactImport | None:
        return (await ContactImport.load_nodes(info.context, [local_id(id, "ContactImport")]))[0]


# ---- mutations
@strawberry.type
class ContactImportMutations:
    @mutation(uses=use.preview_contact_import, description="Says how an uploaded file would be read; changes nothing.")
    async def preview_contact_import(
        self, info: Info, input: Annotated[PreviewContactImportInput, strawberry.argument(description="Which file.")]
    ) -> PreviewContactImportPayload:
        upload_id = local_id(input.upload_id, "Upload")
        choices = choices_of(input.mapping, input.encoding)
        found = await use.preview_contact_import(info.context.caller, upload_id, choices=choices)
        return PreviewContactImportPayload(preview=preview_of(found))

    @mutation(uses=use.import_contacts, description="Imports an uploaded CSV file of contacts, as a job.")
    async def import_contacts(
        self, info: Info, input: Annotated[ImportContactsInput, strawberry.argument(description="What to import.")]
    ) -> ImportContactsPayload:
        order = use.ImportOrder(
            upload_id=local_id(input.upload_id, "Upload"),
            list_id=None if input.list_id is None else local_id(input.list_id, "ContactList"),
            on_duplicate=input.on_duplicate,
            choices=choices_of(input.mapping, input.encoding),
        )
        row = await use.import_contacts(info.context.caller, local_id(input.workspace_id, "Workspace"), order)
        return ImportContactsPayload(contact_import=ContactImport.of(row))

    @mutation(uses=use.cancel_contact_import, description="Stops an import; contacts that it brought so far stay.")
    async def cancel_contact_import(
        self, info: Info, input: Annotated[CancelContactImportInput, strawberry.argument(description="What to stop.")]
    ) -> CancelContactImportPayload:
        row = await use.cancel_contact_import(info.context.caller, local_id(input.import_id, "ContactImport"))
        return CancelContactImportPayload(contact_import=ContactImport.of(row))


def choices_of(mapping: list[ColumnMappingInput] | None, encoding: str | None) -> ReadingChoices:
    pairs = None if mapping is None else [(each.column, each.field) for each in mapping]
    return ReadingChoices(mapping=pairs, encoding=encoding)


def preview_of(found: use.ImportPreview) -> ContactImportPreview:
    pairs = zip(found.format.header, found.columns, strict=True)
    return ContactImportPreview(
        encoding=found.format.encoding,
        delimiter=found.format.delimiter,
        has_header=found.format.has_header,
        columns=[ContactImportColumn(header=header, field=field) for header, field in pairs],
        rows=found.rows,
        size_bytes=found.upload.size_bytes,
    )


# ---- subscriptions
@strawberry.type
class ContactImportSubscriptions:
    @subscription(uses=use.contact_import_status, description="Where an import stands, at most once a second.")
    async def contact_import_status(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The import to watch.")]
    ) -> AsyncIterator[ContactImport]:
        watched = use.contact_import_status(info.context.caller, local_id(id, "ContactImport"))
        async with aclosing(watched) as changes:
            async for row in changes:
                yield ContactImport.of(row)
