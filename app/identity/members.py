"""Members of the tenant: their roles in it and in its workspaces, and their removal."""

from collections.abc import Sequence
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from app.core.errors import Forbidden, NotFound
from app.core.ids import new_id
from app.core.permissions import TENANT_PERMISSIONS, Permission, TenantRole, WorkspaceRole
from app.core.use_case import requires
from app.identity.rules.member_changes import check_member_change
from app.live.recording import record
from app.live.topics import MemberChanged, MemberRemoved
from db.core.paging import Page
from db.core.transaction import shared_transaction
from db.queries.identity import memberships as queries
from db.queries.identity import sessions, users, workspaces
from db.queries.identity.memberships import Member, Membership, WorkspaceMembership

__all__ = ["Member"]

_MEMBER, _WORKSPACE = ("input", "memberId"), ("input", "workspaceId")


@requires(Permission.MEMBERS_READ)
async def members(caller: Caller, *, first: int, after: UUID | None = None) -> Page[Member]:
    """Newest first, with their workspace roles."""
    async with caller.transaction(read_only=True):
        return await queries.members(first=first, after=after)


@requires(Permission.TENANT_READ)
async def members_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Member | None]:
    """None where there is none, or the caller may not see it, in the order of `ids`."""
    if not caller.may(Permission.MEMBERS_READ):
        return [None for _ in ids]
    async with caller.transaction(read_only=True):
        rows = {row.id: row for row in await queries.members_by_ids(ids)}
    return [rows.get(each) for each in ids]


@requires(Permission.MEMBERS_MANAGE)
async def change_member_role(caller: Caller, member_id: UUID, role: TenantRole) -> Member:
    """Raises NotFound, NotAllowed (owners are made and unmade by owners), LastOwner.

    Two owners who demote each other at once: the second one waits for the first, is no owner any more, and is refused.
    """
    async with caller.transaction():
        held = await _member_to_change(caller, member_id, wanted=role)
        if held.role != role:
            version = await queries.set_role(member_id, role, at=caller.now())
            await record(caller, MemberChanged(workspace_id=None, object_id=member_id, version=version, role=role))
            details = {"from": held.role, "to": role.value}
            await audit(caller, "member.change_role", object_type="Member", object_id=member_id, details=details)
        return await _member(member_id)


@requires(Permission.TENANT_READ)
async def remove_member(caller: Caller, member_id: UUID) -> Membership:
    """Ends the membership with its roles and sessions; open connections close within seconds.

    Everybody may leave by themselves; others are removed by those with `members.manage`. Raises Forbidden, NotFound,
    NotAllowed, LastOwner.
    """
    now = caller.now()
    async with caller.transaction():
        held, is_leaving = await _member_to_remove(caller, member_id)
        await queries.delete_membership(member_id)
        await sessions.revoke_sessions_of(held.user_id, "member removed", but=None, at=now)
        await record(
            caller,
            MemberRemoved(workspace_id=None, object_id=member_id, version=held.version + 1, role=held.role),
        )
        action = "member.leave" if is_leaving else "member.remove"
        await audit(caller, action, object_type="Member", object_id=member_id, details={"user": held.user_id})
    async with shared_transaction():
        await users.remove_tenant_hint(held.user_id, held.tenant_id, at=now)
    return held


@requires(Permission.MEMBERS_MANAGE)
async def set_workspace_role(caller: Caller, member_id: UUID, workspace_id: UUID, *, role: WorkspaceRole) -> Member:
    """Gives the role or changes it. Raises NotFound for the member or the workspace."""
    now = caller.now()
    async with caller.transaction():
        await acting_role(caller)
        held = await _locked(member_id)
        if await workspaces.lock_workspace(workspace_id) is None:
            raise NotFound("workspace", _WORKSPACE)
        await queries.set_workspace_role(
            WorkspaceMembership(caller.tenant_id, new_id(), workspace_id, member_id, role, now, now)
        )
        await _workspace_role_changed(caller, held, workspace_id, role=role)
        return await _member(member_id)


@requires(Permission.MEMBERS_MANAGE)
async def remove_workspace_role(caller: Caller, member_id: UUID, workspace_id: UUID) -> Member:
    """Raises NotFound, also when the member has no role there."""
    async with caller.transaction():
        await acting_role(caller)
        held = await _locked(member_id)
        if not await queries.delete_workspace_role(member_id, workspace_id):
            raise NotFound("role in this workspace", _WORKSPACE)
        await _workspace_role_changed(caller, held, workspace_id, role=None)
        return await _member(member_id)


async def _workspace_role_changed(
    caller: Caller, held: Membership, workspace_id: UUID, *, role: WorkspaceRole | None
) -> None:
    version = await queries.touch(held.id, at=caller.now())
    await record(caller, MemberChanged(workspace_id=None, object_id=held.id, version=version, role=held.role))
    await audit(
        caller,
        "member.set_workspace_role" if role else "member.remove_workspace_role",
        object_type="Member",
        object_id=held.id,
        details={"workspace": workspace_id, "role": role},
    )


async def _locked(member_id: UUID) -> Membership:
    held = await queries.lock_membership(member_id)
    if held is None:
        raise NotFound("member", _MEMBER)
    return held


async def _member_to_change(caller: Caller, member_id: UUID, *, wanted: TenantRole | None) -> Membership:
    """Locks all owners, then the member: changes of roles in one tenant happen one after another."""
    owners = await queries.lock_owners()
    held = await _locked(member_id)
    check_member_change(
        acting=await acting_role(caller), present=TenantRole(held.role), wanted=wanted, owners=len(owners)
    )
    return held


async def _member_to_remove(caller: Caller, member_id: UUID) -> tuple[Membership, bool]:
    """And whether it is the caller's own, which needs no permission."""
    own = None if caller.user_id is None else await queries.membership_of_user(caller.user_id)
    if own is None or own.id != member_id:
        caller.must(Permission.MEMBERS_MANAGE)
        return await _member_to_change(caller, member_id, wanted=None), False
    owners = await queries.lock_owners()
    held = await _locked(member_id)
    role = TenantRole(held.role)
    check_member_change(acting=role, present=role, wanted=None, owners=len(owners))
    return held, True


async def acting_role(caller: Caller) -> TenantRole | None:
    """The caller's role as it stands now, not as the door remembers it. Raises Forbidden when it no longer suffices."""
    if caller.kind is CallerKind.JOB:
        return TenantRole.OWNER
    if caller.user_id is None:
        return caller.role
    membership = await queries.membership_of_user(caller.user_id)
    role = None if membership is None else TenantRole(membership.role)
    if role is None or Permission.MEMBERS_MANAGE not in TENANT_PERMISSIONS[role]:
        raise Forbidden(Permission.MEMBERS_MANAGE)
    return role


async def _member(member_id: UUID) -> Member:
    found = await queries.members_by_ids([member_id])
    return found[0]
