"""Roles of members, their removal, and that a tenant keeps an owner."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.core.caller import Caller
from app.core.errors import Forbidden, NotFound
from app.core.ids import NIL, new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.identity.members import (
    change_member_role,
    members,
    members_by_ids,
    remove_member,
    remove_workspace_role,
    set_workspace_role,
)
from app.identity.rules.member_changes import LastOwner, NotAllowed
from app.identity.sessions import sessions
from db.core.transaction import shared_transaction
from db.queries.identity import users
from tests.app.identity.conftest import World
from tests.app.identity.tenants import MadeTenant, actions_of, snapshot, topics_of


async def test_members_are_listed_newest_first_with_their_workspace_roles(acme: MadeTenant) -> None:
    first = await members(acme.admin, first=4)
    rest = await members(acme.admin, first=4, after=first.items[-1].id)

    assert [each.display_name for each in first.items] == ["Bystander", "Viewer", "Member", "Workspace_Admin"]
    assert ([each.role for each in rest.items], rest.has_next) == (["admin", "owner"], False)
    assert (first.items[1].workspace_ids, first.items[1].workspace_roles) == ([acme.workspace_id], ["viewer"])
    assert first.items[0].workspace_ids == []


async def test_members_by_ids_keep_their_order_and_leave_out_what_is_not_there(
    acme: MadeTenant, other: MadeTenant
) -> None:
    wanted = [acme.member_id("viewer"), other.member_id("owner"), NIL, acme.member_id("owner")]

    rows = await members_by_ids(acme.owner, wanted)
    for_a_member = await members_by_ids(acme.member, wanted)

    assert [None if row is None else row.display_name for row in rows] == ["Viewer", None, None, "Owner"]
    assert for_a_member == [None] * 4


async def test_change_member_role_is_recorded_and_audited(acme: MadeTenant) -> None:
    changed = await change_member_role(acme.admin, acme.member_id("member"), TenantRole.ADMIN)

    assert (changed.role, changed.version) == ("admin", 2)
    assert await topics_of(acme.tenant_id) == ["member.changed"]
    assert await actions_of(acme.tenant_id) == ["member.change_role"]


async def test_setting_the_role_that_a_member_has_changes_nothing(acme: MadeTenant) -> None:
    before = await snapshot(acme.tenant_id)

    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.ADMIN)

    assert await snapshot(acme.tenant_id) == before


@pytest.mark.parametrize(
    ("who", "whom", "role", "error"),
    [
        ("admin", "member", TenantRole.OWNER, NotAllowed),
        ("admin", "owner", TenantRole.MEMBER, NotAllowed),
        ("owner", "owner", TenantRole.ADMIN, LastOwner),
        ("member", "viewer", TenantRole.ADMIN, Forbidden),
        ("workspace_admin", "viewer", TenantRole.ADMIN, Forbidden),
    ],
)
async def test_roles_that_nobody_may_give(
    acme: MadeTenant, who: str, whom: str, role: TenantRole, error: type[Exception]
) -> None:
    before = await snapshot(acme.tenant_id)

    with pytest.raises(error):
        await change_member_role(getattr(acme, who), acme.member_id(whom), role)

    assert await snapshot(acme.tenant_id) == before


async def test_the_last_owner_cannot_be_removed_and_an_admin_removes_no_owner(acme: MadeTenant) -> None:
    before = await snapshot(acme.tenant_id)

    with pytest.raises(LastOwner):
        await remove_member(acme.owner, acme.member_id("owner"))
    with pytest.raises(NotAllowed):
        await remove_member(acme.admin, acme.member_id("owner"))

    assert await snapshot(acme.tenant_id) == before


async def test_everybody_may_leave_and_nobody_removes_others_without_permission(acme: MadeTenant) -> None:
    with pytest.raises(Forbidden):
        await remove_member(acme.viewer, acme.member_id("member"))
    with pytest.raises(Forbidden):
        await remove_member(acme.viewer, NIL)

    left = await remove_member(acme.viewer, acme.member_id("viewer"))

    assert left.user_id == acme.viewer.user_id
    assert await members_by_ids(acme.owner, [acme.member_id("viewer")]) == [None]
    assert (await sessions(acme.viewer, first=10)).items == []
    assert (await topics_of(acme.tenant_id), await actions_of(acme.tenant_id)) == (
        ["member.removed"],
        ["member.leave"],
    )


async def test_of_two_owners_who_leave_at_once_one_stays(acme: MadeTenant) -> None:
    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.OWNER)

    outcomes = await asyncio.gather(
        remove_member(acme.owner, acme.member_id("owner")),
        remove_member(acme.admin, acme.member_id("admin")),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["LastOwner", "Membership"]


async def test_two_owners_who_demote_each_other_at_once_leave_one(acme: MadeTenant) -> None:
    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.OWNER)

    outcomes = await asyncio.gather(
        change_member_role(acme.owner, acme.member_id("admin"), TenantRole.MEMBER),
        change_member_role(acme.admin, acme.member_id("owner"), TenantRole.MEMBER),
        return_exceptions=True,
    )

    roles = [row.role for row in (await members(acme.owner, first=10)).items]
    assert roles.count("owner") == 1
    assert [type(each) for each in outcomes if isinstance(each, Exception)] in ([NotAllowed], [Forbidden])


async def test_two_owners_who_remove_each_other_at_once_leave_one(acme: MadeTenant) -> None:
    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.OWNER)

    outcomes = await asyncio.gather(
        remove_member(acme.owner, acme.member_id("admin")),
        remove_member(acme.admin, acme.member_id("owner")),
        return_exceptions=True,
    )

    roles = [row.role for row in (await members(acme.owner, first=10)).items]
    assert roles.count("owner") == 1
    assert sum(isinstance(each, Exception) for each in outcomes) == 1


async def test_two_owners_who_step_down_at_once_leave_one(acme: MadeTenant) -> None:
    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.OWNER)

    outcomes = await asyncio.gather(
        change_member_role(acme.owner, acme.member_id("owner"), TenantRole.MEMBER),
        change_member_role(acme.admin, acme.member_id("admin"), TenantRole.MEMBER),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["LastOwner", "Member"]


async def test_someone_demoted_a_moment_ago_changes_nobody(acme: MadeTenant) -> None:
    """The door may still remember an admin; the use case asks the database."""
    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.MEMBER)
    before = await snapshot(acme.tenant_id)

    with pytest.raises(Forbidden):
        await remove_member(acme.admin, acme.member_id("viewer"))
    with pytest.raises(Forbidden):
        await set_workspace_role(acme.admin, acme.member_id("viewer"), acme.workspace_id, role=WorkspaceRole.ADMIN)

    assert await snapshot(acme.tenant_id) == before


async def test_removal_ends_sessions_and_roles(world: World, acme: MadeTenant) -> None:
    await remove_member(acme.owner, acme.member_id("member"))

    assert (await sessions(acme.member, first=10)).items == []
    assert await members_by_ids(acme.owner, [acme.member_id("member")]) == [None]
    assert (await topics_of(acme.tenant_id), await actions_of(acme.tenant_id)) == (
        ["member.removed"],
        ["member.remove"],
    )
    assert acme.member.user_id is not None
    async with shared_transaction(read_only=True):
        user = await users.user_by_id(acme.member.user_id)
    assert user is not None
    assert user.tenant_hints == [acme.tenant_id]  # the last one stays: mail is queued there


async def test_workspace_roles_are_given_changed_and_taken(acme: MadeTenant) -> None:
    member_id = acme.member_id("bystander")

    given = await set_workspace_role(acme.admin, member_id, acme.workspace_id, role=WorkspaceRole.VIEWER)
    changed = await set_workspace_role(acme.admin, member_id, acme.workspace_id, role=WorkspaceRole.ADMIN)
    taken = await remove_workspace_role(acme.admin, member_id, acme.workspace_id)

    assert [row.workspace_roles for row in (given, changed, taken)] == [["viewer"], ["admin"], []]
    assert [row.version for row in (given, changed, taken)] == [2, 3, 4]
    assert await topics_of(acme.tenant_id) == ["member.changed"] * 3
    with pytest.raises(NotFound):
        await remove_workspace_role(acme.admin, member_id, acme.workspace_id)


Act = Callable[[Caller, MadeTenant], Awaitable[object]]
FOREIGN: dict[str, Act] = {
    "change role": lambda me, them: change_member_role(me, them.member_id("member"), TenantRole.ADMIN),
    "remove": lambda me, them: remove_member(me, them.member_id("member")),
    "set role": lambda me, them: set_workspace_role(
        me, them.member_id("member"), them.workspace_id, role=WorkspaceRole.ADMIN
    ),
    "take role": lambda me, them: remove_workspace_role(me, them.member_id("member"), them.workspace_id),
}


@pytest.mark.parametrize("act", FOREIGN.values(), ids=FOREIGN.keys())
async def test_a_foreign_member_is_not_found(acme: MadeTenant, other: MadeTenant, act: Act) -> None:
    before = await snapshot(acme.tenant_id), await snapshot(other.tenant_id)

    with pytest.raises(NotFound):
        await act(acme.owner, other)

    assert (await snapshot(acme.tenant_id), await snapshot(other.tenant_id)) == before


async def test_a_foreign_workspace_is_not_found(acme: MadeTenant, other: MadeTenant) -> None:
    before = await snapshot(acme.tenant_id)

    for workspace_id in (other.workspace_id, new_id(), NIL):
        with pytest.raises(NotFound):
            await set_workspace_role(acme.owner, acme.member_id("member"), workspace_id, role=WorkspaceRole.ADMIN)

    assert await snapshot(acme.tenant_id) == before
