"""Who is signed in, in the public schema."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import strawberry

from app.core.caller import Caller
from app.core.errors import NotFound
from app.core.permissions import TenantRole, WorkspaceRole
from app.identity import tenant_settings
from app.identity import viewers as use
from app.identity.tenant_settings import Tenant as TenantRow
from app.identity.viewers import Viewer as ViewerRow
from graph.context import Context, Info
from graph.core.connections import bounded
from graph.core.enums import describe_enum
from graph.core.ids import global_id
from graph.core.node import Node
from graph.core.query import query

describe_enum(
    TenantRole,
    "A person's role in the whole tenant.",
    {
        TenantRole.OWNER: "May do everything, and makes and unmakes owners.",
        TenantRole.ADMIN: "May do everything but make and unmake owners.",
        TenantRole.MEMBER: "Sees the tenant; what else depends on the roles in workspaces.",
    },
)
describe_enum(
    WorkspaceRole,
    "A person's role in one workspace.",
    {
        WorkspaceRole.ADMIN: "Does all work of the workspace and connects its mailboxes.",
        WorkspaceRole.MEMBER: "Writes to contacts, templates and campaigns, and launches them.",
        WorkspaceRole.VIEWER: "Reads everything in the workspace.",
    },
)


# ---- types
@strawberry.type(description="A paying organisation.")
class Tenant(Node):
    name: str = strawberry.field(description="The name people see.")

    @staticmethod
    def of(row: TenantRow) -> "Tenant":
        return Tenant(id=global_id("Tenant", row.id), name=row.name)

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Tenant | None]":
        row = await tenant_settings.own_tenant(context.caller)
        return [Tenant.of(row) if row is not None and row.id == each else None for each in ids]


@strawberry.type(description="A tenant that you are a member of.")
class OwnTenant:
    tenant: Tenant = strawberry.field(description="The tenant; switchTenant takes its id.")
    role: TenantRole = strawberry.field(description="Your role in it.")


@strawberry.type(description="A role in one workspace.")
class WorkspaceRoleGrant:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    role: WorkspaceRole = strawberry.field(description="The role in it.")


@strawberry.type(description="A person's login. You see only your own.")
class User(Node):
    email: str = strawberry.field(description="The address to sign in with.")
    display_name: str = strawberry.field(description="The name people see.")
    email_verified: bool = strawberry.field(description="Whether the address was proved.")
    totp_enabled: bool = strawberry.field(description="Whether signing in needs a code of an authenticator app.")

    @staticmethod
    def of(row: ViewerRow) -> "User":
        return User(
            id=global_id("User", row.user_id),
            email=row.email,
            display_name=row.display_name,
            email_verified=row.email_verified_at is not None,
            totp_enabled=row.totp_enabled,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[User | None]":
        if context.caller.user_id not in ids:
            return [None for _ in ids]
        try:
            row = await use.viewer(context.caller)
        except NotFound:
            return [None for _ in ids]
        return [User.of(row) if row.user_id == each else None for each in ids]


async def _own_tenants(root: strawberry.Parent["Viewer"], info: Info) -> list[OwnTenant]:
    rows = await info.context.loaders.load(tenants_of, _Asker(root.caller.session_id, root.caller))
    return [OwnTenant(tenant=Tenant(id=global_id("Tenant", row.id), name=row.name), role=row.role) for row in rows]


@strawberry.type(description="You, in the tenant that your access token speaks for.")
class Viewer:
    caller: strawberry.Private[Caller]
    user: User = strawberry.field(description="Your login.")
    tenant: Tenant = strawberry.field(description="The tenant you are in.")
    role: TenantRole = strawberry.field(description="Your role in it.")
    permissions: list[str] = strawberry.field(
        description="What your role allows in the whole tenant, such as `campaigns.launch`; workspaces may add to it."
    )
    workspace_roles: list[WorkspaceRoleGrant] = strawberry.field(
        description="Your roles in single workspaces.", metadata=bounded("a tenant has at most 1,000 workspaces")
    )

    tenants: list[OwnTenant] = strawberry.field(
        resolver=_own_tenants,
        description="All tenants that you are a member of.",
        metadata=bounded("a person belongs to at most 50 tenants", points=50),  # each is asked in its own transaction
    )

    @staticmethod
    def of(row: ViewerRow, caller: Caller) -> "Viewer":
        role = TenantRole(row.role)
        return Viewer(
            caller=caller,
            user=User.of(row),
            tenant=Tenant(id=global_id("Tenant", row.tenant_id), name=row.tenant_name),
            role=role,
            permissions=[permission.value for permission in use.permissions_of(role)],
            workspace_roles=[
                WorkspaceRoleGrant(workspace_id=global_id("Workspace", each), role=granted)
                for each, granted in caller.workspaces.items()
            ],
        )


# ---- loaders
@dataclass(frozen=True, slots=True)
class _Asker:
    """A session, as a loader's key. Not always the context's caller: signIn answers a viewer who was nobody before."""

    session_id: UUID | None
    caller: Caller = field(compare=False)


async def tenants_of(_context: Context, askers: Sequence[_Asker]) -> list[list[use.OwnTenant]]:
    """Once per request, however often it is selected: each tenant is asked in a transaction of its own."""
    return [await use.own_tenants(each.caller) for each in askers]


# ---- queries
@strawberry.type
class ViewerQueries:
    @query(uses=use.viewer, description="You, or null for a caller that is no person.")
    async def viewer(self, info: Info) -> Viewer | None:
        return Viewer.of(await use.viewer(info.context.caller), info.context.caller)
