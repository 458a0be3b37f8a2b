"""Identity's tables as Piccolo knows them; the migration is the truth and a test compares both."""

from piccolo.columns import JSONB, UUID, Array, BigInt, Bytea, Integer, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLTP


class User(Table, tablename="users", db=OLTP):
    """Shared: a person's login, and hints of the tenants to ask for a membership."""

    id = UUID(primary_key=True)
    email = Varchar(length=320)
    email_key = Varchar(length=320)
    sign_up_number = Integer()
    display_name = Varchar(length=120)
    password_hash = Varchar(length=255)
    auth_epoch = Integer()
    email_verified_at = Timestamptz(null=True)
    tenant_hints = Array(base_column=UUID())
    last_tenant = UUID(null=True)
    known_networks = Array(base_column=Varchar(length=64))
    created_at = Timestamptz()
    updated_at = Timestamptz()


class UserToken(Table, tablename="user_tokens", db=OLTP):
    """Shared: links sent by mail that verify an address or reset a password, once."""

    id = UUID(primary_key=True)
    user_id = UUID()
    purpose = Varchar(length=20)
    secret_hash = Bytea()
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True)
    created_at = Timestamptz()


class UserTotp(Table, tablename="user_totp", db=OLTP):
    """Shared: a user's second factor, its secret sealed. `last_step` is the step of the code accepted last."""

    user_id = UUID(primary_key=True)
    sealed_secret = Bytea()
    confirmed_at = Timestamptz(null=True)
    last_step = BigInt()
    created_at = Timestamptz()


class UserRecoveryCode(Table, tablename="user_recovery_codes", db=OLTP):
    """Shared: what stands in for a TOTP code, once."""

    id = UUID(primary_key=True)
    user_id = UUID()
    code_hash = Bytea()
    used_at = Timestamptz(null=True)


class Tenant(Table, tablename="tenants", db=OLTP):
    id = UUID(primary_key=True)
    name = Varchar(length=120)


class TenantSettings(Table, tablename="tenant_settings", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    postal_address = Varchar(length=500)
    time_zone = Varchar(length=64)
    default_daily_cap = Integer()
    default_minimum_gap_seconds = Integer()
    version = Integer()
    updated_at = Timestamptz()


class Workspace(Table, tablename="workspaces", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    name = Varchar(length=120)
    slug = Varchar(length=63)
    version = Integer()
    archived_at = Timestamptz(null=True)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Membership(Table, tablename="memberships", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    user_id = UUID()
    role = Varchar(length=20)
    email = Varchar(length=320)
    display_name = Varchar(length=120)
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()


class WorkspaceMembership(Table, tablename="workspace_memberships", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    membership_id = UUID()
    role = Varchar(length=20)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Invitation(Table, tablename="invitations", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    email = Varchar(length=320)
    email_key = Varchar(length=320)
    role = Varchar(length=20)
    workspace_roles = JSONB()
    invited_by = Varchar(length=120)
    secret_hash = Bytea()
    sealed_secret = Bytea(null=True)
    state = Varchar(length=20)
    version = Integer()
    expires_at = Timestamptz()
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Session(Table, tablename="sessions", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    user_id = UUID()
    auth_epoch = Integer()
    address = Varchar(length=64)
    user_agent = Varchar(length=300)
    created_at = Timestamptz()
    last_used_at = Timestamptz()
    expires_at = Timestamptz()
    revoked_at = Timestamptz(null=True)
    revoked_because = Varchar(length=40, null=True)


class RefreshToken(Table, tablename="refresh_tokens", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    session_id = UUID()
    secret_hash = Bytea()
    used_at = Timestamptz(null=True)
    created_at = Timestamptz()
