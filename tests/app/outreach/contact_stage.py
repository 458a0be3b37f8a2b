"""A tenant of its own for each test, with a workspace, and a file in the Content tier as an upload brings it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.core.caller import Caller, CallerKind, job_caller
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from app.outreach.contact_import_runs import run_contact_import
from app.outreach.contact_imports import ContactImport, ImportOrder, contact_imports_by_ids, import_contacts
from app.outreach.uploads import create_upload, receive_upload
from db.core.transaction import current
from db.queries.identity.tenants import Tenant, TenantSettings, insert_settings, insert_tenant
from db.queries.identity.workspaces import Workspace, insert_workspace


@dataclass(frozen=True)
class Stage:
    """The owner of a new tenant, and its workspace."""

    owner: Caller
    workspace_id: UUID
    others: dict[str, Caller] = field(default_factory=dict)

    def member(self, role: WorkspaceRole, *, workspace_id: UUID | None = None) -> Caller:
        """Someone else in the tenant, with a role in this workspace or another."""
        place = self.workspace_id if workspace_id is None else workspace_id
        return replace(self.owner, user_id=new_id(), role=TenantRole.MEMBER, workspaces={place: role})

    def worker(self) -> Caller:
        return job_caller(self.owner.resources, self.owner.tenant_id, "test")

    async def rows(self, sql: str, *args: object, tier: str = "oltp") -> list[dict[str, Any]]:
        """Of this tenant; $1 is its id."""
        opening = self.owner.transaction if tier == "oltp" else self.owner.content_transaction
        async with opening(read_only=True):
            return [dict(row) for row in await current().fetch(sql, self.owner.tenant_id, *args)]

    async def count(self, table: str, *, tier: str = "oltp") -> int:
        rows = await self.rows(f"SELECT count(*) AS n FROM {table} WHERE tenant_id = $1", tier=tier)
        return int(rows[0]["n"])

    async def uploaded(self, data: bytes, *, file_name: str = "people.csv") -> UUID:
        made = await create_upload(self.owner, self.workspace_id, file_name=file_name)
        done = await receive_upload(self.owner, str(made.token), pieces_of(data))
        return done.id

    async def imported(self, data: bytes, **order: Any) -> ContactImport:
        """Uploads, starts and runs the whole import, part after part, as a worker would."""
        upload_id = await self.uploaded(data)
        started = await import_contacts(self.owner, self.workspace_id, ImportOrder(upload_id, **order))
        return await self.finished(started)

    async def finished(self, started: ContactImport) -> ContactImport:
        now = started
        while now.finished_at is None:
            await run_contact_import(self.worker(), now.id, now.part)
            found = (await contact_imports_by_ids(self.owner, [now.id]))[0]
            assert found is not None
            now = found
        return now

    async def emails(self) -> list[str]:
        rows = await self.rows("SELECT email FROM contacts WHERE tenant_id = $1 ORDER BY email_key")
        return [row["email"] for row in rows]


async def pieces_of(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def new_stage(resources: Resources, settings: Mapping[str, Any] | None = None) -> Stage:
    tenant_id, workspace_id = new_id(), new_id()
    owner = Caller(
        resources=resources,
        kind=CallerKind.USER,
        request_id="test",
        tenant=tenant_id,
        user_id=new_id(),
        role=TenantRole.OWNER,
    )
    now = owner.now()
    given = {"postal_address": "Example Ltd\n1 Ice Road", "time_zone": "UTC"} | dict(settings or {})
    async with owner.transaction():
        await insert_tenant(Tenant(tenant_id, "Example"))
        await insert_settings(
            TenantSettings(
                tenant_id=tenant_id,
                id=tenant_id,
                default_daily_cap=200,
                default_minimum_gap_seconds=60,
                version=1,
                updated_at=now,
                **given,
            )
        )
        await insert_workspace(Workspace(tenant_id, workspace_id, "Main", "main", 1, None, now, now))
    return Stage(owner, workspace_id)
