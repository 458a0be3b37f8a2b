"""Uploads: a file streams through an URL of its own into the Content tier, chunk by chunk, and is never whole in memory."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import DomainError, ErrorCode, Expired, NotFound, TooLong
from app.core.ids import new_id
from app.core.outages import away_said
from app.core.permissions import Permission
from app.core.secrets import Token, hash_secret, secret_matches
from app.core.use_case import requires
from app.outreach.access import open_workspace, reach
from db.queries.content import uploads as query
from db.queries.outreach.contact_imports import uploads_in_use

Upload = query.Upload

CHUNK_BYTES = 256 * 1024
OPEN_FOR = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)
TOKEN_KIND = "upload"  # noqa: S105
LONGEST_FILE_NAME = 255
_COMPRESSION = 1
_AWAY = "Files cannot be stored right now: send the file again from the start in a few minutes."
_BATCH = 20


class UploadTooLarge(DomainError):
    """The file has more bytes than the setting upload_limit_bytes allows."""

    code = ErrorCode.TOO_LARGE


class UploadIncomplete(DomainError):
    """The file is not here: it was never sent, or the sending broke off."""

    code = ErrorCode.UPLOAD_INCOMPLETE


class UploadSuperseded(DomainError):
    """The same upload is complete already, or was begun again while this one was running."""

    code = ErrorCode.CONFLICT


@dataclass(frozen=True, slots=True)
class NewUpload:
    """The token is shown once; it opens PUT /uploads/<token> until the upload expires."""

    upload: Upload
    token: Token


@requires(Permission.CONTACTS_IMPORT)
async def create_upload(caller: Caller, workspace_id: UUID, *, file_name: str = "") -> NewUpload:
    """A place for one file of contacts, open for an hour. Raises NotFound, Forbidden, TooLong."""
    if len(file_name) > LONGEST_FILE_NAME:
        raise TooLong(f"A file name has at most {LONGEST_FILE_NAME} characters.", ("input", "fileName"))
    async with caller.transaction(read_only=True):
        await open_workspace(caller, workspace_id, Permission.CONTACTS_IMPORT)
    token, now = Token.new(TOKEN_KIND, caller.tenant_id, new_id()), caller.now()
    upload = Upload(
        tenant_id=caller.tenant_id,
        id=token.row_id,
        workspace_id=workspace_id,
        purpose="contacts",
        state="waiting",
        attempt=0,
        file_name=file_name.strip(),
        size_bytes=0,
        sha256=None,
        secret_hash=hash_secret(token.secret),
        created_at=now,
        expires_at=now + OPEN_FOR,
        completed_at=None,
    )
    async with caller.content_transaction():
        await query.insert_upload(upload)
    return NewUpload(upload, token)


@requires(None)
async def receive_upload(
    caller: Caller, token: str, pieces: AsyncIterator[bytes], *, declared_bytes: int | None = None
) -> Upload:
    """Stores what `pieces` brings. The token alone opens this door, whoever the caller is.

    When it breaks off, the upload can be sent again from the start with the same token. Raises NotFound (also for a wrong
    secret), Expired, UploadTooLarge, UploadIncomplete (no bytes), UploadSuperseded, Away; whatever `pieces` raises goes through.
    """
    parsed = Token.parse(token, TOKEN_KIND)
    if parsed is None:
        raise NotFound("upload")
    owner = replace(caller, tenant=parsed.tenant_id)
    limit = caller.resources.settings.upload_limit_bytes
    if declared_bytes is not None and declared_bytes > limit:
        raise _too_large(limit)
    with away_said(_AWAY):
        upload, attempt = await _begin_attempt(owner, parsed)
    if attempt is None:
        raise UploadSuperseded("This upload is complete already: create another one for another file.")
    writer = _Writer(owner, replace(upload, attempt=attempt), limit)
    async for piece in pieces:
        await writer.write(piece)
    return await writer.finish()


async def _begin_attempt(owner: Caller, parsed: Token) -> tuple[Upload, int | None]:
    async with owner.content_transaction():
        upload = await query.upload_by_id(parsed.row_id)
        if upload is None or not secret_matches(parsed.secret, upload.secret_hash):
            raise NotFound("upload")
        _check_open(owner, upload)
        return upload, await query.begin_attempt(upload.id)


def _check_open(caller: Caller, upload: Upload) -> None:
    if caller.now() >= upload.expires_at:
        raise Expired("This upload URL has expired: create a new upload.")


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(f"The file is larger than {limit:,} bytes: split it into several.")


class _Writer:
    """Cuts what comes into chunks; each is compressed, counted and written in a short transaction of its own."""

    def __init__(self, caller: Caller, upload: Upload, limit: int) -> None:
        self._caller = caller
        self._upload = upload
        self._limit = limit
        self._hash = hashlib.sha256()
        self._held = bytearray()
        self._size = 0
        self._number = 0

    async def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._hash.update(piece)
        for start in range(0, len(piece), CHUNK_BYTES):
            self._held += piece[start : start + CHUNK_BYTES]
            if len(self._held) >= CHUNK_BYTES:
                await self._store(CHUNK_BYTES)

    async def finish(self) -> Upload:
        if self._held:
            await self._store(len(self._held))
        if self._size == 0:
            raise UploadIncomplete("The request had no body: send the file's bytes.")
        with away_said(_AWAY):
            async with self._caller.content_transaction():
                done = await query.complete_upload(
                    self._upload.id, attempt=self._upload.attempt, sha256=self._hash.digest(), at=self._caller.now()
                )
        if done is None:
            raise _superseded()
        return done

    async def _store(self, count: int) -> None:
        _check_open(self._caller, self._upload)
        raw = bytes(self._held[:count])
        del self._held[:count]
        data = await asyncio.to_thread(zlib.compress, raw, _COMPRESSION)
        with away_said(_AWAY):
            async with self._caller.content_transaction():
                stored = await query.insert_chunk(
                    self._upload.id, attempt=self._upload.attempt, number=self._number, data=data, raw_bytes=len(raw)
                )
        if not stored:
            raise _superseded()
        self._number += 1


def _superseded() -> UploadSuperseded:
    return UploadSuperseded("The same upload was begun again by another request, which goes on instead of this one.")


async def complete_upload(caller: Caller, upload_id: UUID) -> Upload:
    """The whole upload, for who may import it. Raises NotFound, Forbidden, UploadIncomplete."""
    async with caller.content_transaction(read_only=True):
        found = await query.upload_by_id(upload_id)
    upload = reach(caller, found, Permission.CONTACTS_IMPORT, noun="upload", field="uploadId")
    if upload.state != "complete":
        raise UploadIncomplete(
            "The file has not arrived: send it to the upload's URL first, again from the start if the sending broke off.",
            ("input", "uploadId"),
        )
    return upload


@requires(Permission.CONTACTS_IMPORT)
async def uploads_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Upload | None]:
    """In the order of `ids`; None for what the caller may not import or what is not there."""
    async with caller.content_transaction(read_only=True):
        rows = await query.uploads_by_ids(ids)
    found = {
        row.id: row
        for row in rows
        if caller.sees(row.workspace_id) and caller.may(Permission.CONTACTS_IMPORT, row.workspace_id)
    }
    return [found.get(upload_id) for upload_id in ids]


async def upload_chunk(caller: Caller, upload: Upload, number: int) -> bytes:
    """The raw bytes from number * CHUNK_BYTES on; empty behind the end. Raises UploadIncomplete when they were swept."""
    async with caller.content_transaction(read_only=True):
        data = await query.chunk(upload.id, attempt=upload.attempt, number=number)
    if data is not None:
        return await asyncio.to_thread(zlib.decompress, data)
    if number * CHUNK_BYTES < upload.size_bytes:
        raise UploadIncomplete("The uploaded file has expired: upload it again.", ("input", "uploadId"))
    return b""


async def expire_uploads(caller: Caller) -> int:
    """Removes uploads a day after they were created, but not while an import reads them. A cleaner."""
    before = caller.now() - KEPT_FOR
    async with caller.transaction(read_only=True):
        busy = await uploads_in_use()
    removed = 0
    while True:
        async with caller.content_transaction():
            count = await query.delete_uploads_before(before, but=list(busy), limit=_BATCH)
        removed += count
        if count < _BATCH:
            return removed
