"""A new tenant, whole: settings, its owner and a first workspace, in one transaction."""

from dataclasses import replace

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.identity.rules.names import slug_of
from app.jobs.maintenance import plant_maintenance
from app.live.recording import record
from app.live.topics import WorkspaceCreated
from db.queries.identity import memberships, tenants, workspaces
from db.queries.identity.memberships import Membership
from db.queries.identity.tenants import Tenant, TenantSettings
from db.queries.identity.users import User
from db.queries.identity.workspaces import Workspace

DEFAULT_TIME_ZONE = "UTC"
DEFAULT_DAILY_CAP = 50
DEFAULT_MINIMUM_GAP_SECONDS = 60


async def make_tenant(caller: Caller, tenant: Tenant, owner: User) -> bool:
    """Inside the open transaction of `tenant`. False when it was made before: then nothing is written."""
    if not await tenants.insert_tenant(tenant):
        return False
    now = caller.now()
    await tenants.insert_settings(
        TenantSettings(
            tenant.id, new_id(), "", DEFAULT_TIME_ZONE, DEFAULT_DAILY_CAP, DEFAULT_MINIMUM_GAP_SECONDS, 1, now
        )
    )
    role = TenantRole.OWNER
    await memberships.insert_membership(
        Membership(tenant.id, new_id(), owner.id, role, owner.email, owner.display_name, 1, now, now)
    )
    workspace = Workspace(tenant.id, new_id(), tenant.name, slug_of(tenant.name), 1, None, now, now)
    await workspaces.insert_workspace(workspace)
    by_owner = replace(caller, kind=CallerKind.USER, tenant=tenant.id, user_id=owner.id, role=role)
    await record(
        by_owner,
        WorkspaceCreated(
            workspace_id=workspace.id, object_id=workspace.id, version=1, name=workspace.name, slug=workspace.slug
        ),
    )
    await plant_maintenance(by_owner)
    await audit(by_owner, "tenant.sign_up", object_type="Tenant", object_id=tenant.id)
    return True
