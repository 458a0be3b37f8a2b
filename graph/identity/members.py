"""Members of the tenant in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.core.permissions import TenantRole, WorkspaceRole
from app.identity import members as use
from app.identity.members import Member as MemberRow
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, bounded, connection, window
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.identity.viewers import WorkspaceRoleGrant


# ---- types
@strawberry.type(description="A person in the tenant.")
class Member(Node):
    email: str = strawberry.field(description="The person's address.")
    display_name: str = strawberry.field(description="The person's name.")
    role: TenantRole = strawberry.field(description="The role in the whole tenant.")
    workspace_roles: list[WorkspaceRoleGrant] = strawberry.field(
        description="The roles in single workspaces.", metadata=bounded("a tenant has at most 1,000 workspaces")
    )
    version: int = strawberry.field(description="Rises with every change.")
    created_at: datetime = strawberry.field(description="When the person joined.")

    @staticmethod
    def of(row: MemberRow) -> "Member":
        return Member(
            id=global_id("Member", row.id),
            email=row.email,
            display_name=row.display_name,
            role=TenantRole(row.role),
            workspace_roles=[
                WorkspaceRoleGrant(workspace_id=global_id("Workspace", each), role=WorkspaceRole(role))
                for each, role in zip(row.workspace_ids, row.workspace_roles, strict=True)
            ],
            version=row.version,
            created_at=row.created_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Member | None]":
        rows = await use.members_by_ids(context.caller, ids)
        return [Member.of(row) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="What changeMemberRole needs.")
class ChangeMemberRoleInput(IdempotentInput):
    member_id: strawberry.ID = strawberry.field(description="The member.")
    role: TenantRole = strawberry.field(description="The new role in the whole tenant.")


@strawberry.input(description="What setWorkspaceRole needs.")
class SetWorkspaceRoleInput(IdempotentInput):
    member_id: strawberry.ID = strawberry.field(description="The member.")
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    role: WorkspaceRole = strawberry.field(description="The role in it.")


@strawberry.input(description="What removeWorkspaceRole needs.")
class RemoveWorkspaceRoleInput(IdempotentInput):
    member_id: strawberry.ID = strawberry.field(description="The member.")
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")


@strawberry.input(description="What removeMember needs.")
class RemoveMemberInput(IdempotentInput):
    member_id: strawberry.ID = strawberry.field(description="The member to remove.")


# ---- payloads
@strawberry.type(description="The answer of changeMemberRole.")
class ChangeMemberRolePayload(Payload):
    member: Member | None = strawberry.field(default=None, description="The changed member.")


@strawberry.type(description="The answer of setWorkspaceRole.")
class SetWorkspaceRolePayload(Payload):
    member: Member | None = strawberry.field(default=None, description="The changed member.")


@strawberry.type(description="The answer of removeWorkspaceRole.")
class RemoveWorkspaceRolePayload(Payload):
    member: Member | None = strawberry.field(default=None, description="The changed member.")


@strawberry.type(description="The answer of removeMember.")
class RemoveMemberPayload(Payload):
    removed_member_id: strawberry.ID | None = strawberry.field(default=None, description="Who is a member no more.")


# ---- queries
@strawberry.type
class MemberQueries:
    @query(uses=use.members, description="The members of the tenant, newest first.")
    async def members(self, info: Info, first: First = 25, after: After = None) -> Connection[Member]:
        page = window(first, after)
        return connection(await use.members(info.context.caller, first=page.first, after=page.after), Member.of)


# ---- mutations
@strawberry.type
class MemberMutations:
    @mutation(uses=use.change_member_role, description="Changes a member's role. Only owners make and unmake owners.")
    async def change_member_role(
        self, info: Info, input: Annotated[ChangeMemberRoleInput, strawberry.argument(description="What to change.")]
    ) -> ChangeMemberRolePayload:
        row = await use.change_member_role(info.context.caller, local_id(input.member_id, "Member"), input.role)
        return ChangeMemberRolePayload(member=Member.of(row))

    @mutation(uses=use.set_workspace_role, description="Gives a member a role in a workspace, or changes it.")
    async def set_workspace_role(
        self, info: Info, input: Annotated[SetWorkspaceRoleInput, strawberry.argument(description="What to give.")]
    ) -> SetWorkspaceRolePayload:
        member_id, workspace_id = local_id(input.member_id, "Member"), local_id(input.workspace_id, "Workspace")
        row = await use.set_workspace_role(info.context.caller, member_id, workspace_id, role=input.role)
        return SetWorkspaceRolePayload(member=Member.of(row))

    @mutation(uses=use.remove_workspace_role, description="Takes a member's role in a workspace away.")
    async def remove_workspace_role(
        self, info: Info, input: Annotated[RemoveWorkspaceRoleInput, strawberry.argument(description="What to take.")]
    ) -> RemoveWorkspaceRolePayload:
        member_id, workspace_id = local_id(input.member_id, "Member"), local_id(input.workspace_id, "Workspace")
        row = await use.remove_workspace_role(info.context.caller, member_id, workspace_id)
        return RemoveWorkspaceRolePayload(member=Member.of(row))

    @mutation(
        uses=use.remove_member,
        description="Ends a membership; the person's sessions end within seconds. Everybody may end their own; to remove "
        "others needs `members.manage`.",
    )
    async def remove_member(
        self, info: Info, input: Annotated[RemoveMemberInput, strawberry.argument(description="Whom to remove.")]
    ) -> RemoveMemberPayload:
        row = await use.remove_member(info.context.caller, local_id(input.member_id, "Member"))
        return RemoveMemberPayload(removed_member_id=global_id("Member", row.id))
