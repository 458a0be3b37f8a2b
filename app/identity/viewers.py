"""Who is signed in, and the tenants that the person may switch to."""

from dataclasses import dataclass
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import NotFound
from app.core.permissions import TENANT_PERMISSIONS, Permission, TenantRole
from app.core.use_case import requires
from db.core.transaction import shared_transaction, tenant_transaction
from db.queries.identity import users
from db.queries.identity import viewers as queries
from db.queries.identity.viewers import Viewer

__all__ = ["Viewer"]


@dataclass(frozen=True, slots=True)
class OwnTenant:
    """A tenant that the person is a member of."""

    id: UUID
    name: str
    role: TenantRole


@requires(Permission.TENANT_READ)
async def viewer(caller: Caller) -> Viewer:
    """Raises NotFound for a caller that is no person."""
    async with caller.transaction(read_only=True):
        row = None if caller.user_id is None else await queries.viewer(caller.user_id)
    if row is None:
        raise NotFound("viewer")
    return row


@requires(Permission.TENANT_READ)
async def own_tenants(caller: Caller) -> list[OwnTenant]:
    """By the tenants' own memberships: the user's hints only say where to ask. At most 50."""
    if caller.user_id is None:
        return []
    async with shared_transaction(read_only=True):
        user = await users.user_by_id(caller.user_id)
    found: list[OwnTenant] = []
    for tenant_id in [] if user is None else user.tenant_hints:
        async with tenant_transaction(tenant_id, read_only=True):
            row = await queries.viewer(caller.user_id)
        if row is not None:
            found.append(OwnTenant(row.tenant_id, row.tenant_name, TenantRole(row.role)))
    return found


def permissions_of(role: TenantRole | None) -> list[Permission]:
    """What the role allows in the whole tenant, in alphabetical order."""
    return sorted(TENANT_PERMISSIONS[role]) if role is not None else []
