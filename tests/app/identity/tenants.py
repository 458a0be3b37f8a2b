"""Tenants for tests, made in two transactions and without argon2: callers in every role, ready to act."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from app.core.caller import Caller, CallerKind
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from app.identity.access_tokens import AccessTokens
from db.core.transaction import current, shared_transaction, tenant_transaction
from db.queries.identity import memberships, sessions, tenants, users, workspaces
from db.queries.identity.memberships import Membership, WorkspaceMembership
from db.queries.identity.sessions import Session
from db.queries.identity.tenants import Tenant, TenantSettings
from db.queries.identity.users import User
from db.queries.identity.workspaces import Workspace

NO_PASSWORD = "!nobody signs in with this"
PEOPLE: dict[str, tuple[TenantRole, WorkspaceRole | None]] = {
    "owner": (TenantRole.OWNER, None),
    "admin": (TenantRole.ADMIN, None),
    "workspace_admin": (TenantRole.MEMBER, WorkspaceRole.ADMIN),
    "member": (TenantRole.MEMBER, WorkspaceRole.MEMBER),
    "viewer": (TenantRole.MEMBER, WorkspaceRole.VIEWER),
    "bystander": (TenantRole.MEMBER, None),
}


@dataclass(frozen=True)
class MadeTenant:
    """One workspace, six people. `workspace_admin`, `member`, `viewer` have that role in the workspace, `bystander` none."""

    tenant_id: UUID
    workspace_id: UUID
    owner: Caller
    admin: Caller
    workspace_admin: Caller
    member: Caller
    viewer: Caller
    bystander: Caller
    membership_ids: dict[str, UUID]

    def member_id(self, person: str) -> UUID:
        return self.membership_ids[person]


def bearer(caller: Caller) -> str:
    """An Authorization value that the real door admits as this caller."""
    assert caller.user_id is not None
    assert caller.session_id is not None
    token, _ = AccessTokens.of(caller.resources.settings).sign(
        user_id=caller.user_id, tenant_id=caller.tenant_id, session_id=caller.session_id, now=caller.now()
    )
    return f"Bearer {token}"


async def make_tenant(resources: Resources, *, name: str = "Acme", time_zone: str = "UTC") -> MadeTenant:
    """A tenant of its own for one test: the tenant is the sandbox, so tests commit and never clean up."""
    tenant_id, workspace_id = new_id(), new_id()
    made = {person: _user(resources, tenant_id, person) for person in PEOPLE}
    async with shared_transaction():
        for user in made.values():
            await users.insert_user(user)
    now = resources.clock.now()
    async with tenant_transaction(tenant_id):
        await tenants.insert_tenant(Tenant(tenant_id, name))
        await tenants.insert_settings(
            TenantSettings(tenant_id, new_id(), "Acme Ltd\n1 Road\nTown", time_zone, 1000, 0, 1, now)
        )
        await workspaces.insert_workspace(Workspace(tenant_id, workspace_id, name, "acme", 1, None, now, now))
        ids = {person: await _join(resources, user, tenant_id, workspace_id, person) for person, user in made.items()}
        callers = {
            person: await _caller(resources, user, tenant_id, workspace_id, person) for person, user in made.items()
        }
    return MadeTenant(tenant_id, workspace_id, membership_ids=ids, **callers)


async def another_session(caller: Caller) -> Caller:
    """The same person, signed in a second time."""
    assert caller.user_id is not None
    async with tenant_transaction(caller.tenant_id):
        return replace(caller, session_id=await _session(caller.resources, caller.tenant_id, caller.user_id))


async def snapshot(tenant_id: UUID) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the tenant that identity could change: to prove that a refusal changed nothing."""
    tables = (
        "tenants",
        "tenant_settings",
        "workspaces",
        "memberships",
        "workspace_memberships",
        "invitations",
        "sessions",
        "refresh_tokens",
        "jobs",
        "live_events",
        "audit_log",
    )
    async with tenant_transaction(tenant_id, read_only=True):
        return {
            table: [tuple(row) for row in await current().fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in tables
        }


async def jobs_of(tenant_id: UUID) -> list[str]:
    """Kinds of the tenant's jobs, oldest first."""
    async with tenant_transaction(tenant_id, read_only=True):
        return [row["kind"] for row in await current().fetch("SELECT kind FROM jobs ORDER BY id")]


async def topics_of(tenant_id: UUID) -> list[str]:
    """Topics of the tenant's live events, oldest first."""
    async with tenant_transaction(tenant_id, read_only=True):
        return [row["topic"] for row in await current().fetch("SELECT topic FROM live_events ORDER BY id")]


async def actions_of(tenant_id: UUID) -> list[str]:
    """Actions in the tenant's audit trail, oldest first."""
    async with tenant_transaction(tenant_id, read_only=True):
        return [row["action"] for row in await current().fetch("SELECT action FROM audit_log ORDER BY id")]


def _user(resources: Resources, tenant_id: UUID, person: str) -> User:
    now, user_id = resources.clock.now(), new_id()
    email = f"{person}-{user_id.hex}@acme.example"
    return User(user_id, email, email, person.title(), NO_PASSWORD, 1, now, [tenant_id], tenant_id, [], now, now)


async def _join(resources: Resources, user: User, tenant_id: UUID, workspace_id: UUID, person: str) -> UUID:
    now, membership_id = resources.clock.now(), new_id()
    role, workspace_role = PEOPLE[person]
    await memberships.insert_membership(
        Membership(tenant_id, membership_id, user.id, role, user.email, user.display_name, 1, now, now)
    )
    if workspace_role is not None:
        await memberships.insert_workspace_membership(
            WorkspaceMembership(tenant_id, new_id(), workspace_id, membership_id, workspace_role, now, now)
        )
    return membership_id


async def _caller(resources: Resources, user: User, tenant_id: UUID, workspace_id: UUID, person: str) -> Caller:
    role, workspace_role = PEOPLE[person]
    return Caller(
        resources=resources,
        kind=CallerKind.USER,
        request_id="test",
        tenant=tenant_id,
        user_id=user.id,
        session_id=await _session(resources, tenant_id, user.id),
        role=role,
        workspaces={} if workspace_role is None else {workspace_id: workspace_role},
        address="192.0.2.1",
        user_agent="tests",
        expires_at=resources.clock.now() + timedelta(minutes=15),
    )


async def _session(resources: Resources, tenant_id: UUID, user_id: UUID) -> UUID:
    now, session_id = resources.clock.now(), new_id()
    ends_at = now + timedelta(days=30)
    await sessions.insert_session(
        Session(tenant_id, session_id, user_id, 1, "192.0.2.1", "tests", now, now, ends_at, None, None)
    )
    return session_id
