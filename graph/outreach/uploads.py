"""Uploads in the public schema: a mutation gives an URL, and the file's bytes go there by PUT."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import uploads as use
from app.outreach.uploads import Upload as UploadRow
from graph.context import Context, Info
from graph.core.connections import bounded
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import Payload, mutation
from graph.core.node import Node


class UploadState(StrEnum):
    WAITING = "waiting"
    RECEIVING = "receiving"
    COMPLETE = "complete"


describe_enum(
    UploadState,
    "How far an upload is.",
    {
        UploadState.WAITING: "Nothing was sent yet.",
        UploadState.RECEIVING: "Bytes are coming in, or the sending broke off: it can be sent again from the start.",
        UploadState.COMPLETE: "The whole file is here.",
    },
)


# ---- types
@strawberry.type(description="A file that was or will be sent to an URL of its own; kept for a day.")
class Upload(Node):
    file_name: str = strawberry.field(description="The file's name, as given.")
    state: UploadState = strawberry.field(description="How far it is.")
    size_bytes: int = strawberry.field(description="How many bytes have arrived.")
    sha256: str | None = strawberry.field(description="SHA-256 of the whole file in hexadecimal, once it is here.")
    created_at: datetime = strawberry.field(description="When it was created.")
    expires_at: datetime = strawberry.field(description="Until when the URL takes bytes.")

    @staticmethod
    def of(row: UploadRow) -> "Upload":
        return Upload(
            id=global_id("Upload", row.id),
            file_name=row.file_name,
            state=UploadState(row.state),
            size_bytes=row.size_bytes,
            sha256=None if row.sha256 is None else row.sha256.hex(),
            created_at=row.created_at,
            expires_at=row.expires_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Upload | None]":
        rows = await use.uploads_by_ids(context.caller, ids)
        return [Upload.of(row) if row else None for row in rows]


@strawberry.type(description="A header of an HTTP request.")
class HttpHeader:
    name: str = strawberry.field(description="The header's name.")
    value: str = strawberry.field(description="The header's value.")


# ---- inputs
@strawberry.input(description="What createUpload needs.")
class CreateUploadInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the contacts in the file are for.")
    file_name: str = strawberry.field(default="", description="The file's name, shown beside the import.")


# ---- payloads
@strawberry.type(
    description="The answer of createUpload: send the bytes with this method, to this URL, with these headers."
)
class CreateUploadPayload(Payload):
    upload: Upload | None = strawberry.field(default=None, description="The upload, for importContacts.")
    url: str | None = strawberry.field(
        default=None, description="Where to send the bytes. It is a secret: it needs no sign-in."
    )
    method: str | None = strawberry.field(default=None, description="The HTTP method: PUT.")
    headers: list[HttpHeader] | None = strawberry.field(
        default=None, description="Headers to send along.", metadata=bounded("one or two headers")
    )
    limit_bytes: int | None = strawberry.field(default=None, description="The largest file that is taken.")


# ---- mutations
@strawberry.type
class UploadMutations:
    @mutation(uses=use.create_upload, description="Opens an URL for one CSV file of contacts, for an hour.")
    async def create_upload(
        self, info: Info, input: Annotated[CreateUploadInput, strawberry.argument(description="What will come.")]
    ) -> CreateUploadPayload:
        caller = info.context.caller
        made = await use.create_upload(caller, local_id(input.workspace_id, "Workspace"), file_name=input.file_name)
        return CreateUploadPayload(
            upload=Upload.of(made.upload),
            url=f"{caller.resources.settings.public_url.rstrip('/')}/uploads/{made.token}",
            method="PUT",
            headers=[HttpHeader(name="Content-Type", value="text/csv")],
            limit_bytes=caller.resources.settings.upload_limit_bytes,
        )
