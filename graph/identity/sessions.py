"""Signing in and out in the public schema, and one's own sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.identity import sessions as use
from app.identity import viewers
from app.identity.sessions import Session as SessionRow
from app.identity.sessions import SessionTokens as Tokens
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.identity.viewers import Tenant, Viewer
from graph.identity.workspaces import Workspace


# ---- types
@strawberry.type(description="What opens the API for one tenant: sent as `Authorization: Bearer <accessToken>`.")
class SessionTokens:
    access_token: str = strawberry.field(description="Good for 15 minutes.")
    refresh_token: str = strawberry.field(description="Works once, for refreshSession; keep it as you keep a password.")
    expires_at: datetime = strawberry.field(description="When the access token ends.")
    refresh_expires_at: datetime = strawberry.field(description="When the session ends if it is not refreshed.")

    @staticmethod
    def of(tokens: Tokens) -> "SessionTokens":
        return SessionTokens(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_at=tokens.expires_at,
            refresh_expires_at=tokens.refresh_expires_at,
        )


@strawberry.type(description="One of your sign-ins to this tenant.")
class Session(Node):
    address: str = strawberry.field(description="The network address it was opened from.")
    user_agent: str = strawberry.field(description="What the program called itself.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    last_used_at: datetime = strawberry.field(description="When it was last refreshed.")
    expires_at: datetime = strawberry.field(description="When it ends if it is not refreshed.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended, or null.")
    is_current: bool = strawberry.field(description="Whether it is the one that asks.")

    @staticmethod
    def of(row: SessionRow, current_id: UUID | None) -> "Session":
        return Session(
            id=global_id("Session", row.id),
            address=row.address,
            user_agent=row.user_agent,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            is_current=row.id == current_id,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Session | None]":
        rows = await use.sessions_by_ids(context.caller, ids)
        return [Session.of(row, context.caller.session_id) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="What signIn needs.")
class SignInInput:
    email: str = strawberry.field(description="The address of the account.")
    password: str = strawberry.field(description="Its password.")
    tenant_id: strawberry.ID | None = strawberry.field(
        default=None, description="The tenant to enter; the one last used when left out."
    )
    totp_code: str | None = strawberry.field(
        default=None,
        description="A code of the authenticator app, or a recovery code; without it an account that has two-step sign-in answers TOTP_REQUIRED.",
    )


@strawberry.input(description="What switchTenant needs.")
class SwitchTenantInput:
    tenant_id: strawberry.ID = strawberry.field(description="Another tenant that you are a member of.")


@strawberry.input(description="What refreshSession needs.")
class RefreshSessionInput:
    refresh_token: str = strawberry.field(description="The latest refresh token of the session.")


@strawberry.input(description="What signOut needs: nothing but the access token that it is sent with.")
class SignOutInput(IdempotentInput):
    pass


@strawberry.input(description="What revokeSession needs.")
class RevokeSessionInput(IdempotentInput):
    session_id: strawberry.ID = strawberry.field(description="One of your own sessions in this tenant.")


@strawberry.input(description="What revokeOtherSessions needs: nothing but the access token that it is sent with.")
class RevokeOtherSessionsInput(IdempotentInput):
    pass


# ---- payloads
@strawberry.type(description="The answer of signIn.")
class SignInPayload(Payload):
    session: SessionTokens | None = strawberry.field(default=None, description="The tokens of the new session.")
    tenant: Tenant | None = strawberry.field(default=None, description="The tenant that was entered.")
    workspace: Workspace | None = strawberry.field(default=None, description="The first workspace that you see in it.")
    viewer: Viewer | None = strawberry.field(default=None, description="You, in this tenant.")


@strawberry.type(description="The answer of switchTenant.")
class SwitchTenantPayload(Payload):
    session: SessionTokens | None = strawberry.field(default=None, description="The tokens of the new session.")
    tenant: Tenant | None = strawberry.field(default=None, description="The tenant that was entered.")
    workspace: Workspace | None = strawberry.field(default=None, description="The first workspace that you see in it.")
    viewer: Viewer | None = strawberry.field(default=None, description="You, in this tenant.")


@strawberry.type(description="The answer of refreshSession.")
class RefreshSessionPayload(Payload):
    session: SessionTokens | None = strawberry.field(default=None, description="New tokens; the old ones are used up.")


@strawberry.type(description="The answer of signOut.")
class SignOutPayload(Payload):
    signed_out: bool | None = strawberry.field(default=None, description="True when the session is over.")


@strawberry.type(description="The answer of revokeSession.")
class RevokeSessionPayload(Payload):
    session: Session | None = strawberry.field(default=None, description="The session, now over.")


@strawberry.type(description="The answer of revokeOtherSessions.")
class RevokeOtherSessionsPayload(Payload):
    ended: int | None = strawberry.field(default=None, description="How many sessions were ended.")


# ---- queries
@strawberry.type
class SessionQueries:
    @query(uses=use.sessions, description="Your living sessions in this tenant, newest first.")
    async def sessions(self, info: Info, first: First = 25, after: After = None) -> Connection[Session]:
        page = window(first, after)
        caller = info.context.caller
        rows = await use.sessions(caller, first=page.first, after=page.after)
        return connection(rows, lambda row: Session.of(row, caller.session_id))


# ---- mutations
async def _viewer(entered: use.SignedIn) -> Viewer:
    return Viewer.of(await viewers.viewer(entered.caller), entered.caller)


@strawberry.type
class SessionMutations:
    @mutation(
        uses=use.sign_in,
        anonymous=True,
        description="Opens a session. A wrong address, a wrong password and a wrong code give the same answer.",
    )
    async def sign_in(
        self, info: Info, input: Annotated[SignInInput, strawberry.argument(description="Who you are.")]
    ) -> SignInPayload:
        tenant_id = None if input.tenant_id is None else local_id(input.tenant_id, "Tenant")
        entered = await use.sign_in(
            info.context.caller, input.email, input.password, tenant_id=tenant_id, totp_code=input.totp_code
        )
        return SignInPayload(
            session=SessionTokens.of(entered.tokens),
            tenant=Tenant.of(entered.tenant),
            workspace=Workspace.of(entered.workspace) if entered.workspace else None,
            viewer=await _viewer(entered),
        )

    @mutation(uses=use.switch_tenant, description="Opens a session in another of your tenants; this one goes on.")
    async def switch_tenant(
        self, info: Info, input: Annotated[SwitchTenantInput, strawberry.argument(description="Where to go.")]
    ) -> SwitchTenantPayload:
        entered = await use.switch_tenant(info.context.caller, local_id(input.tenant_id, "Tenant"))
        return SwitchTenantPayload(
            session=SessionTokens.of(entered.tokens),
            tenant=Tenant.of(entered.tenant),
            workspace=Workspace.of(entered.workspace) if entered.workspace else None,
            viewer=await _viewer(entered),
        )

    @mutation(
        uses=use.refresh_session,
        anonymous=True,
        description="New tokens for the latest refresh token. One that was used before ends the whole session.",
    )
    async def refresh_session(
        self, info: Info, input: Annotated[RefreshSessionInput, strawberry.argument(description="What to refresh.")]
    ) -> RefreshSessionPayload:
        tokens = await use.refresh_session(info.context.caller, input.refresh_token)
        return RefreshSessionPayload(session=SessionTokens.of(tokens))

    @mutation(uses=use.sign_out, description="Ends this session; its tokens stop working within seconds.")
    async def sign_out(
        self, info: Info, input: Annotated[SignOutInput, strawberry.argument(description="May be empty.")]
    ) -> SignOutPayload:
        await use.sign_out(info.context.caller)
        return SignOutPayload(signed_out=True)

    @mutation(uses=use.revoke_session, description="Ends one of your own sessions in this tenant.")
    async def revoke_session(
        self, info: Info, input: Annotated[RevokeSessionInput, strawberry.argument(description="Which one.")]
    ) -> RevokeSessionPayload:
        row = await use.revoke_session(info.context.caller, local_id(input.session_id, "Session"))
        return RevokeSessionPayload(session=Session.of(row, info.context.caller.session_id))

    @mutation(uses=use.revoke_other_sessions, description="Ends all your sessions in this tenant but this one.")
    async def revoke_other_sessions(
        self, info: Info, input: Annotated[RevokeOtherSessionsInput, strawberry.argument(description="May be empty.")]
    ) -> RevokeOtherSessionsPayload:
        return RevokeOtherSessionsPayload(ended=await use.revoke_other_sessions(info.context.caller))
