"""Opening a session: what every way in (sign-in, switch, invitation) ends with."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.secrets import Token, hash_secret
from app.identity.access_tokens import AccessTokens
from app.identity.rules.session_life import session_end
from db.core.transaction import tenant_transaction
from db.queries.identity import memberships, sessions, tenants, users, workspaces
from db.queries.identity.memberships import Member
from db.queries.identity.sessions import RefreshToken, Session
from db.queries.identity.tenants import Tenant
from db.queries.identity.users import User
from db.queries.identity.workspaces import Workspace

REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """`expires_at` is the access token's end; the refresh token works once, until `refresh_expires_at`."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    refresh_expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person inside a tenant. `caller` may act at once; `workspace` is the first that the person sees, if any."""

    tokens: SessionTokens
    caller: Caller
    tenant: Tenant
    workspace: Workspace | None


def acting(caller: Caller, member: Member, session_id: UUID | None = None) -> Caller:
    """The caller as this member: who the audit trail names, and whose tenant transactions open."""
    workspace_roles = zip(member.workspace_ids, map(WorkspaceRole, member.workspace_roles), strict=True)
    return replace(
        caller,
        kind=CallerKind.USER,
        tenant=member.tenant_id,
        user_id=member.user_id,
        session_id=session_id,
        role=TenantRole(member.role),
        workspaces=dict(workspace_roles),
    )


def tenants_to_try(user: User) -> list[UUID]:
    """The tenant last used, then the others: hints, to be asked for a membership."""
    first = [] if user.last_tenant is None else [user.last_tenant]
    return first + [hint for hint in user.tenant_hints if hint not in first]


async def enter(caller: Caller, user: User, tenant_id: UUID, *, auth_epoch: int, action: str) -> SignedIn | None:
    """Opens a session of `user` in the tenant, in a transaction of its own; None when there is no membership.

    The session carries the epoch at which the password was checked: if the password changed since, it is born dead.
    """
    async with tenant_transaction(tenant_id):
        member = await memberships.member_by_user(user.id)
        tenant = await tenants.tenant()
        if member is None or tenant is None:
            return None
        return await open_session(caller, member, tenant, auth_epoch=auth_epoch, action=action)


async def open_session(caller: Caller, member: Member, tenant: Tenant, *, auth_epoch: int, action: str) -> SignedIn:
    """Writes session, refresh token and the audit entry `action` inside the open tenant transaction."""
    now = caller.now()
    session = Session(
        tenant_id=tenant.id,
        id=new_id(),
        user_id=member.user_id,
        auth_epoch=auth_epoch,
        address=caller.address[:64],
        user_agent=caller.user_agent[:300],
        created_at=now,
        last_used_at=now,
        expires_at=session_end(now, now),
        revoked_at=None,
        revoked_because=None,
    )
    await sessions.insert_session(session)
    entered = acting(caller, member, session.id)
    await audit(entered, action, object_type="Session", object_id=session.id)
    workspace = await workspaces.first_workspace(visible=entered.visible_workspaces)
    return SignedIn(await issue_tokens(caller, session, expires_at=session.expires_at), entered, tenant, workspace)


async def issue_tokens(caller: Caller, session: Session, *, expires_at: datetime) -> SessionTokens:
    """An access token and the session's next refresh token, whose hash is written into the open transaction."""
    now = caller.now()
    token = Token.new(REFRESH, session.tenant_id, new_id())
    await sessions.insert_refresh_token(
        RefreshToken(session.tenant_id, token.row_id, session.id, hash_secret(token.secret), None, now)
    )
    access_token, ends_at = caller.resources.port(AccessTokens).sign(
        user_id=session.user_id, tenant_id=session.tenant_id, session_id=session.id, now=now
    )
    return SessionTokens(access_token, str(token), ends_at, expires_at)


async def living_session(caller: Caller) -> tuple[User, Session]:
    """The caller's user and session, read now rather than from the door's memory. Raises Unauthenticated."""
    if caller.kind is not CallerKind.USER or caller.session_id is None or caller.user_id is None:
        raise Unauthenticated
    async with caller.transaction(read_only=True):
        living = await sessions.sessions_by_ids(caller.user_id, [caller.session_id], at=caller.now())
        user = await users.user_by_id(caller.user_id)
    if not living or user is None:
        raise Unauthenticated
    return user, living[0]
