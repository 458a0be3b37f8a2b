"""What may be done, and which role may do it: in the whole tenant, or in one workspace."""

from enum import StrEnum


class Permission(StrEnum):
    """A permission is `<what>.<verb>`. Use cases declare theirs by @requires."""

    TENANT_READ = "tenant.read"
    TENANT_UPDATE = "tenant.update"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    WORKSPACES_READ = "workspaces.read"
    WORKSPACES_MANAGE = "workspaces.manage"
    WORKSPACES_UPDATE = "workspaces.update"
    SESSIONS_MANAGE = "sessions.manage"  # one's own
    JOBS_READ = "jobs.read"
    JOBS_REPLAY = "jobs.replay"
    LIVE_READ = "live.read"
    CONTACTS_READ = "contacts.read"
    CONTACTS_WRITE = "contacts.write"
    CONTACTS_IMPORT = "contacts.import"
    TEMPLATES_READ = "templates.read"
    TEMPLATES_WRITE = "templates.write"
    MAILBOXES_READ = "mailboxes.read"
    MAILBOXES_WRITE = "mailboxes.write"
    DKIM_KEYS_MANAGE = "dkim_keys.manage"
    CAMPAIGNS_READ = "campaigns.read"
    CAMPAIGNS_WRITE = "campaigns.write"
    CAMPAIGNS_LAUNCH = "campaigns.launch"
    MESSAGES_READ = "messages.read"
    MESSAGES_RESOLVE = "messages.resolve"
    SUPPRESSIONS_READ = "suppressions.read"
    SUPPRESSIONS_WRITE = "suppressions.write"


class TenantRole(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class WorkspaceRole(StrEnum):
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


_EVERY = frozenset(Permission)

# An admin differs from an owner in one thing, which is decided by role: only owners make, change and remove owners.
TENANT_PERMISSIONS: dict[TenantRole, frozenset[Permission]] = {
    TenantRole.OWNER: _EVERY,
    TenantRole.ADMIN: _EVERY,
    TenantRole.MEMBER: frozenset(
        {Permission.TENANT_READ, Permission.WORKSPACES_READ, Permission.SESSIONS_MANAGE, Permission.LIVE_READ}
    ),
}

_VIEWER = frozenset(
    {
        Permission.WORKSPACES_READ,
        Permission.LIVE_READ,
        Permission.CONTACTS_READ,
        Permission.TEMPLATES_READ,
        Permission.MAILBOXES_READ,
        Permission.CAMPAIGNS_READ,
        Permission.MESSAGES_READ,
        Permission.SUPPRESSIONS_READ,
    }
)
_MEMBER = _VIEWER | {
    Permission.CONTACTS_WRITE,
    Permission.CONTACTS_IMPORT,
    Permission.TEMPLATES_WRITE,
    Permission.CAMPAIGNS_WRITE,
    Permission.CAMPAIGNS_LAUNCH,
    Permission.MESSAGES_RESOLVE,
    Permission.SUPPRESSIONS_WRITE,
}
_ADMIN = _MEMBER | {Permission.WORKSPACES_UPDATE, Permission.MAILBOXES_WRITE, Permission.DKIM_KEYS_MANAGE}

WORKSPACE_PERMISSIONS: dict[WorkspaceRole, frozenset[Permission]] = {
    WorkspaceRole.ADMIN: _ADMIN,
    WorkspaceRole.MEMBER: _MEMBER,
    WorkspaceRole.VIEWER: _VIEWER,
}
