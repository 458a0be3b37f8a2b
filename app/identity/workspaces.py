"""Workspaces of the tenant."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import LimitReached, NotFound, Taken
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.identity.rules.names import read_name, read_slug, slug_of
from app.live.recording import record
from app.live.topics import WorkspaceArchived, WorkspaceCreated, WorkspaceUpdated
from db.core.paging import Page
from db.queries.identity import workspaces as queries
from db.queries.identity.workspaces import Workspace

__all__ = ["Workspace"]

MOST_WORKSPACES = 1_000
_NAME, _SLUG, _ID = ("input", "name"), ("input", "slug"), ("input", "workspaceId")


@requires(Permission.WORKSPACES_READ)
async def workspaces(
    caller: Caller, *, first: int, after: UUID | None = None, archived: bool = False
) -> Page[Workspace]:
    """Those that the caller sees, newest first; with `archived`, these too."""
    async with caller.transaction(read_only=True):
        return await queries.workspaces(visible=caller.visible_workspaces, archived=archived, first=first, after=after)


@requires(Permission.WORKSPACES_READ)
async def workspace(caller: Caller, workspace_id: UUID) -> Workspace:
    """Raises NotFound, also for one that the caller has no role in."""
    found = (await workspaces_by_ids(caller, [workspace_id]))[0]
    if found is None:
        raise NotFound("workspace")
    return found


@requires(Permission.WORKSPACES_READ)
async def workspaces_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Workspace | None]:
    """Those that the caller sees; None elsewhere, in the order of `ids`."""
    async with caller.transaction(read_only=True):
        rows = {row.id: row for row in await queries.workspaces_by_ids(ids)}
    return [rows.get(each) if caller.sees(each) else None for each in ids]


@requires(Permission.WORKSPACES_MANAGE)
async def create_workspace(caller: Caller, name: str, *, slug: str | None = None) -> Workspace:
    """Without `slug` one is made from the name. Raises Required, Invalid, TooLong, Taken, LimitReached."""
    checked = read_name(name, _NAME)
    wanted = None if slug is None else read_slug(slug, _SLUG)
    now = caller.now()
    async with caller.transaction():
        if await queries.count_workspaces() >= MOST_WORKSPACES:
            raise LimitReached(f"A tenant has at most {MOST_WORKSPACES} workspaces.", ("input",))
        made = await _insert(
            Workspace(caller.tenant_id, new_id(), checked, wanted or slug_of(checked), 1, None, now, now),
            may_number=wanted is None,
        )
        await record(
            caller,
            WorkspaceCreated(workspace_id=made.id, object_id=made.id, version=1, name=made.name, slug=made.slug),
        )
        await audit(caller, "workspace.create", object_type="Workspace", object_id=made.id)
    return made


async def _insert(wanted: Workspace, *, may_number: bool) -> Workspace:
    number = 1
    while not await queries.insert_workspace(wanted):
        if not may_number:
            raise Taken("Another workspace has this slug.", _SLUG)
        number += 1
        wanted = replace(wanted, slug=slug_of(wanted.name, number=number))
    return wanted


@requires(Permission.WORKSPACES_UPDATE)
async def update_workspace(
    caller: Caller, workspace_id: UUID, *, name: str | None = None, slug: str | None = None
) -> Workspace:
    """None leaves as it is. Raises NotFound, Forbidden (no admin of this workspace), Required, Invalid, TooLong, Taken."""
    checked = None if name is None else read_name(name, _NAME)
    wanted = None if slug is None else read_slug(slug, _SLUG)
    async with caller.transaction():
        held = await _locked(caller, workspace_id)
        caller.must(Permission.WORKSPACES_UPDATE, workspace_id)
        changed = replace(
            held,
            name=held.name if checked is None else checked,
            slug=held.slug if wanted is None else wanted,
            version=held.version + 1,
            updated_at=caller.now(),
        )
        if not await queries.update_workspace(changed):
            raise Taken("Another workspace has this slug.", _SLUG)
        await record(
            caller,
            WorkspaceUpdated(
                workspace_id=held.id, object_id=held.id, version=changed.version, name=changed.name, slug=changed.slug
            ),
        )
        await audit(caller, "workspace.update", object_type="Workspace", object_id=held.id)
    return changed


@requires(Permission.WORKSPACES_MANAGE)
async def archive_workspace(caller: Caller, workspace_id: UUID) -> Workspace:
    """It leaves the lists; what is in it stays readable. Idempotent. Raises NotFound."""
    now = caller.now()
    async with caller.transaction():
        held = await _locked(caller, workspace_id)
        if held.archived_at is not None:
            return held
        archived = replace(held, archived_at=now, version=held.version + 1, updated_at=now)
        await queries.update_workspace(archived)
        await record(
            caller,
            WorkspaceArchived(
                workspace_id=held.id, object_id=held.id, version=archived.version, name=held.name, slug=held.slug
            ),
        )
        await audit(caller, "workspace.archive", object_type="Workspace", object_id=held.id)
    return archived


async def _locked(caller: Caller, workspace_id: UUID) -> Workspace:
    held = await queries.lock_workspace(workspace_id) if caller.sees(workspace_id) else None
    if held is None:
        raise NotFound("workspace", _ID)
    return held
