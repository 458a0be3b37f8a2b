"""Who may do what, in the tenant and in a workspace; and what happens to those who may not."""

from dataclasses import replace

import pytest

from app.core.caller import Caller, CallerKind, anonymous_caller, job_caller
from app.core.errors import Forbidden, Unauthenticated
from app.core.ids import new_id
from app.core.permissions import (
    TENANT_PERMISSIONS,
    WORKSPACE_PERMISSIONS,
    Permission,
    TenantRole,
    WorkspaceRole,
)
from app.core.resources import Resources
from app.core.use_case import permission_of, requires

HERE, ELSEWHERE = new_id(), new_id()


def user(resources: Resources, role: TenantRole, workspace_role: WorkspaceRole | None = None) -> Caller:
    return Caller(
        resources=resources,
        kind=CallerKind.USER,
        request_id="test",
        tenant=new_id(),
        user_id=new_id(),
        role=role,
        workspaces={HERE: workspace_role} if workspace_role else {},
    )


def test_an_owner_and_an_admin_have_every_permission(resources: Resources) -> None:
    owner, admin = user(resources, TenantRole.OWNER), user(resources, TenantRole.ADMIN)

    assert [each for each in Permission if not (owner.may(each, HERE) and admin.may(each, HERE))] == []


def test_a_member_may_do_in_a_workspace_what_the_role_there_allows_and_nothing_elsewhere(resources: Resources) -> None:
    viewer = user(resources, TenantRole.MEMBER, WorkspaceRole.VIEWER)
    editor = user(resources, TenantRole.MEMBER, WorkspaceRole.MEMBER)

    assert viewer.may(Permission.CAMPAIGNS_READ, HERE)
    assert not viewer.may(Permission.CAMPAIGNS_LAUNCH, HERE)
    assert editor.may(Permission.CAMPAIGNS_LAUNCH, HERE)
    assert not editor.may(Permission.CAMPAIGNS_LAUNCH, ELSEWHERE)
    assert editor.may(Permission.CAMPAIGNS_LAUNCH)
    assert (editor.sees(HERE), editor.sees(ELSEWHERE)) == (True, False)
    assert editor.visible_workspaces == [HERE]


def test_a_job_may_do_everything_in_its_own_tenant(resources: Resources) -> None:
    tenant = new_id()
    job = job_caller(resources, tenant, "request")

    assert job.tenant_id == tenant
    assert job.visible_workspaces is None
    assert all(job.may(permission, ELSEWHERE) for permission in Permission)


def test_workspace_roles_grow_and_none_reaches_beyond_the_workspace() -> None:
    viewer, member, admin = (
        WORKSPACE_PERMISSIONS[role] for role in (WorkspaceRole.VIEWER, WorkspaceRole.MEMBER, WorkspaceRole.ADMIN)
    )

    assert viewer < member < admin < TENANT_PERMISSIONS[TenantRole.OWNER]
    assert Permission.MEMBERS_MANAGE not in admin


async def test_a_use_case_refuses_before_it_runs(resources: Resources) -> None:
    ran: list[str] = []

    @requires(Permission.CAMPAIGNS_LAUNCH)
    async def launch(caller: Caller, campaign: str) -> str:
        ran.append(campaign)
        return campaign

    member = user(resources, TenantRole.MEMBER)
    with pytest.raises(Forbidden, match=r"campaigns\.launch"):
        await launch(member, "a")
    with pytest.raises(Unauthenticated):
        await launch(anonymous_caller(resources, "request"), "b")
    answer = await launch(user(resources, TenantRole.OWNER), "c")

    assert (ran, answer, permission_of(launch)) == (["c"], "c", Permission.CAMPAIGNS_LAUNCH)


def test_an_anonymous_caller_speaks_for_no_tenant(resources: Resources) -> None:
    with pytest.raises(Unauthenticated):
        _ = anonymous_caller(resources, "request", address="192.0.2.1").tenant_id


def test_the_actor_names_who_it_is(resources: Resources) -> None:
    someone = user(resources, TenantRole.OWNER)

    assert someone.actor == f"user:{someone.user_id}"
    assert job_caller(resources, new_id(), "r").actor == "job"
    assert anonymous_caller(resources, "r", address="192.0.2.1").actor == "anonymous:192.0.2.1"
    assert replace(someone, role=None).may(Permission.TENANT_READ) is False
