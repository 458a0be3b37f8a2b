"""A tenant to measure with: its owner, signed in, with a workspace."""

from dataclasses import dataclass
from uuid import UUID

from app.core.caller import Caller, anonymous_caller, job_caller
from app.core.ids import new_id
from app.core.resources import Resources
from app.identity.session_opening import enter
from app.identity.tenant_making import make_tenant
from db.core.transaction import shared_transaction, tenant_transaction
from db.queries.identity import users
from db.queries.identity.tenants import Tenant
from db.queries.identity.users import User
from db.queries.identity.workspaces import first_workspace


@dataclass(frozen=True)
class Seeded:
    """`caller` may do everything in the tenant; `access_token` speaks for its owner."""

    caller: Caller
    workspace_id: UUID
    access_token: str


async def seed_tenant(resources: Resources, name: str) -> Seeded:
    """As signUp and signIn do it, without the work of a password."""
    anonymous = anonymous_caller(resources, request_id=f"bench-{name}", address="127.0.0.1")
    now, tenant_id = anonymous.now(), new_id()
    email = f"owner@{name}.example"
    owner = User(
        id=new_id(),
        email=email,
        email_key=email,
        display_name="Owner",
        password_hash="none",
        auth_epoch=1,
        email_verified_at=now,
        tenant_hints=[tenant_id],
        last_tenant=tenant_id,
        known_networks=[],
        created_at=now,
        updated_at=now,
    )
    async with shared_transaction():
        await users.insert_user(owner)
    async with tenant_transaction(tenant_id):
        await make_tenant(anonymous, Tenant(tenant_id, name), owner)
        workspace = await first_workspace(visible=None)
    entered = await enter(anonymous, owner, tenant_id, auth_epoch=1, action="session.sign_in")
    assert workspace is not None
    assert entered is not None
    return Seeded(job_caller(resources, tenant_id, f"bench-{name}"), workspace.id, entered.tokens.access_token)
