"""Uploads and their chunks. Each attempt writes chunks of its own; only the attempt that is still the newest can."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Upload:
    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    purpose: str
    state: str
    attempt: int
    file_name: str
    size_bytes: int
    sha256: bytes | None
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None


async def insert_upload(upload: Upload) -> None:
    await current().execute(
        f"INSERT INTO uploads ({columns(Upload)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        *(getattr(upload, name) for name in Upload.__slots__),
    )


async def upload_by_id(upload_id: UUID) -> Upload | None:
    return await one_row(
        Upload,
        f"SELECT {columns(Upload)} FROM uploads WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        upload_id,
    )


async def uploads_by_ids(ids: Sequence[UUID]) -> list[Upload]:
    """Those that exist, in no order."""
    return await all_rows(
        Upload,
        f"SELECT {columns(Upload)} FROM uploads WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def begin_attempt(upload_id: UUID) -> int | None:
    """The number of a new attempt, which ends every earlier one and drops its chunks; None when it is complete."""
    attempt = await current().fetchval(
        "UPDATE uploads SET state = 'receiving', attempt = attempt + 1, size_bytes = 0 "
        "WHERE tenant_id = $1 AND id = $2 AND state <> 'complete' RETURNING attempt",
        current().tenant_id,
        upload_id,
    )
    if attempt is None:
        return None
    await current().execute(
        "DELETE FROM upload_chunks WHERE tenant_id = $1 AND upload_id = $2 AND attempt < $3",
        current().tenant_id,
        upload_id,
        attempt,
    )
    return int(attempt)


async def insert_chunk(upload_id: UUID, *, attempt: int, number: int, data: bytes, raw_bytes: int) -> bool:
    """False when a newer attempt has begun, or the upload is gone. `data` is compressed."""
    status = await current().execute(
        "WITH mine AS (UPDATE uploads SET size_bytes = size_bytes + $6 WHERE tenant_id = $1 AND id = $2 "
        "AND attempt = $3 AND state = 'receiving' RETURNING tenant_id, id) "
        "INSERT INTO upload_chunks (tenant_id, upload_id, attempt, number, data) "
        "SELECT tenant_id, id, $3, $4, $5 FROM mine",
        current().tenant_id,
        upload_id,
        attempt,
        number,
        data,
        raw_bytes,
    )
    return status == "INSERT 0 1"


async def complete_upload(upload_id: UUID, *, attempt: int, sha256: bytes, at: datetime) -> Upload | None:
    """None when a newer attempt has begun, or the upload is gone."""
    return await one_row(
        Upload,
        "UPDATE uploads SET state = 'complete', sha256 = $4, completed_at = $5 "
        f"WHERE tenant_id = $1 AND id = $2 AND attempt = $3 AND state = 'receiving' RETURNING {columns(Upload)}",
        current().tenant_id,
        upload_id,
        attempt,
        sha256,
        at,
    )


async def chunk(upload_id: UUID, *, attempt: int, number: int) -> bytes | None:
    """The compressed bytes, or None behind the last one."""
    data: bytes | None = await current().fetchval(
        "SELECT data FROM upload_chunks WHERE tenant_id = $1 AND upload_id = $2 AND attempt = $3 AND number = $4",
        current().tenant_id,
        upload_id,
        attempt,
        number,
    )
    return data


async def delete_uploads_before(moment: datetime, *, but: Sequence[UUID], limit: int) -> int:
    """Removes uploads made before `moment`, with their chunks, except those named."""
    status = await current().execute(
        "DELETE FROM uploads WHERE tenant_id = $1 AND id IN (SELECT id FROM uploads WHERE tenant_id = $1 "
        "AND created_at < $2 AND id <> ALL ($3::uuid[]) ORDER BY created_at LIMIT $4)",
        current().tenant_id,
        moment,
        list(but),
        limit,
    )
    return int(status.rpartition(" ")[2])
