"""Invitations in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.core.permissions import TenantRole, WorkspaceRole
from app.identity import invitations as use
from app.identity import joining
from app.identity.invitations import Invitation as InvitationRow
from app.identity.invitations import InvitationState
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, bounded, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.identity.sessions import SessionTokens
from graph.identity.viewers import Tenant, WorkspaceRoleGrant
from graph.identity.workspaces import Workspace

describe_enum(
    InvitationState,
    "Where an invitation stands.",
    {
        InvitationState.PENDING: "Sent, and not accepted yet.",
        InvitationState.ACCEPTED: "The person is a member.",
        InvitationState.REVOKED: "Taken back; its link is dead.",
        InvitationState.EXPIRED: "Seven days passed.",
    },
)


# ---- types
@strawberry.type(description="An invitation to become a member, sent by mail.")
class Invitation(Node):
    email: str = strawberry.field(description="The address it was sent to.")
    role: TenantRole = strawberry.field(description="The role that it gives in the tenant.")
    workspace_roles: list[WorkspaceRoleGrant] = strawberry.field(
        description="The roles that it gives in workspaces.",
        metadata=bounded("an invitation names at most 50 workspaces"),
    )
    state: InvitationState = strawberry.field(description="Where it stands.")
    invited_by: str = strawberry.field(description="The name of who sent it.")
    expires_at: datetime = strawberry.field(description="When its link stops working.")
    created_at: datetime = strawberry.field(description="When it was made.")

    @staticmethod
    def of(row: InvitationRow) -> "Invitation":
        return Invitation(
            id=global_id("Invitation", row.id),
            email=row.email,
            role=TenantRole(row.role),
            workspace_roles=[
                WorkspaceRoleGrant(
                    workspace_id=global_id("Workspace", UUID(each["workspace_id"])), role=WorkspaceRole(each["role"])
                )
                for each in row.workspace_roles
            ],
            state=InvitationState(row.state),
            invited_by=row.invited_by,
            expires_at=row.expires_at,
            created_at=row.created_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Invitation | None]":
        rows = await use.invitations_by_ids(context.caller, ids)
        return [Invitation.of(row) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="A role to give in one workspace.")
class WorkspaceRoleInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    role: WorkspaceRole = strawberry.field(description="The role in it.")


@strawberry.input(description="What inviteMember needs.")
class InviteMemberInput(IdempotentInput):
    email: str = strawberry.field(description="Whom to invite.")
    role: TenantRole = strawberry.field(description="The role in the tenant. Only owners invite owners.")
    workspace_roles: list[WorkspaceRoleInput] = strawberry.field(
        default_factory=list, description="Roles in workspaces, at most 50."
    )


@strawberry.input(description="What revokeInvitation needs.")
class RevokeInvitationInput(IdempotentInput):
    invitation_id: strawberry.ID = strawberry.field(description="The invitation to take back.")


@strawberry.input(description="What acceptInvitation needs.")
class AcceptInvitationInput:
    token: str = strawberry.field(description="The code from the mail.")
    name: str | None = strawberry.field(default=None, description="Your name, if you have no account yet.")
    password: str | None = strawberry.field(
        default=None, description="Your account's password, or the one you choose; not needed when signed in."
    )
    totp_code: str | None = strawberry.field(
        default=None,
        description="A code of the authenticator app, or a recovery code, if your account has two-step sign-in; not needed when signed in.",
    )


# ---- payloads
@strawberry.type(description="The answer of inviteMember.")
class InviteMemberPayload(Payload):
    invitation: Invitation | None = strawberry.field(default=None, description="The new invitation.")


@strawberry.type(description="The answer of revokeInvitation.")
class RevokeInvitationPayload(Payload):
    invitation: Invitation | None = strawberry.field(default=None, description="The invitation, now dead.")


@strawberry.type(description="The answer of acceptInvitation.")
class AcceptInvitationPayload(Payload):
    session: SessionTokens | None = strawberry.field(default=None, description="The tokens of a new session.")
    tenant: Tenant | None = strawberry.field(default=None, description="The tenant that you are a member of now.")
    workspace: Workspace | None = strawberry.field(default=None, description="The first workspace that you see in it.")


# ---- queries
@strawberry.type
class InvitationQueries:
    @query(uses=use.invitations, description="The invitations of the tenant in every state, newest first.")
    async def invitations(self, info: Info, first: First = 25, after: After = None) -> Connection[Invitation]:
        page = window(first, after)
        rows = await use.invitations(info.context.caller, first=page.first, after=page.after)
        return connection(rows, Invitation.of)


# ---- mutations
@strawberry.type
class InvitationMutations:
    @mutation(uses=use.invite_member, description="Invites a person by mail; the link works for seven days.")
    async def invite_member(
        self, info: Info, input: Annotated[InviteMemberInput, strawberry.argument(description="Whom to invite.")]
    ) -> InviteMemberPayload:
        grants = [
            use.WorkspaceGrant(local_id(each.workspace_id, "Workspace"), each.role) for each in input.workspace_roles
        ]
        row = await use.invite_member(info.context.caller, input.email, input.role, workspace_roles=grants)
        return InviteMemberPayload(invitation=Invitation.of(row))

    @mutation(uses=use.revoke_invitation, description="Takes an invitation back; its link is dead at once.")
    async def revoke_invitation(
        self, info: Info, input: Annotated[RevokeInvitationInput, strawberry.argument(description="Which one.")]
    ) -> RevokeInvitationPayload:
        row = await use.revoke_invitation(info.context.caller, local_id(input.invitation_id, "Invitation"))
        return RevokeInvitationPayload(invitation=Invitation.of(row))

    @mutation(
        uses=joining.accept_invitation,
        anonymous=True,
        description="Makes you a member with the code from the mail, and opens a session in the tenant.",
    )
    async def accept_invitation(
        self, info: Info, input: Annotated[AcceptInvitationInput, strawberry.argument(description="The code, and you.")]
    ) -> AcceptInvitationPayload:
        entered = await joining.accept_invitation(
            info.context.caller,
            input.token,
            name=input.name,
            password=input.password,
            totp_code=input.totp_code,
        )
        return AcceptInvitationPayload(
            session=SessionTokens.of(entered.tokens),
            tenant=Tenant.of(entered.tenant),
            workspace=Workspace.of(entered.workspace) if entered.workspace else None,
        )
