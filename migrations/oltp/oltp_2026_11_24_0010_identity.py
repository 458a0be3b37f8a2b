"""Users and what signs them in (shared), tenants with their settings, workspaces, members, invitations and sessions."""

from db.core.migration import Plain, shared, sql_migration, wall

_TENANT_ROLE = "CHECK (role IN ('owner', 'admin', 'member'))"

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0010_identity",
    "users, tenants, workspaces, memberships, invitations, sessions",
    [
        """
        CREATE TABLE users (
          id uuid PRIMARY KEY,
          email varchar(320) NOT NULL,
          email_key varchar(320) NOT NULL,
          sign_up_number integer NOT NULL,
          display_name varchar(120) NOT NULL,
          password_hash varchar(255) NOT NULL,
          auth_epoch integer NOT NULL,
          email_verified_at timestamptz,
          tenant_hints uuid[] NOT NULL,
          last_tenant uuid,
          known_networks varchar(64)[] NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL
        )
        """,
        # An address is unique among verified users only. The number decides which of two sign-ups at once was first.
        "CREATE UNIQUE INDEX users_verified_email ON users (email_key) WHERE email_verified_at IS NOT NULL",
        "CREATE UNIQUE INDEX users_of_email ON users (email_key, sign_up_number)",
        *shared("users"),
        """
        CREATE TABLE user_tokens (
          id uuid PRIMARY KEY,
          user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
          purpose varchar(20) NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
          secret_hash bytea NOT NULL,
          expires_at timestamptz NOT NULL,
          used_at timestamptz,
          created_at timestamptz NOT NULL
        )
        """,
        "CREATE INDEX user_tokens_of_user ON user_tokens (user_id, purpose)",
        *shared("user_tokens"),
        # Nile has this table built in, with these columns among others.
        Plain("CREATE TABLE tenants (id uuid PRIMARY KEY, name varchar(120) NOT NULL)"),
        *wall("tenants", tenant_column="id"),
        """
        CREATE TABLE tenant_settings (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          postal_address varchar(500) NOT NULL,
          time_zone varchar(64) NOT NULL,
          default_daily_cap integer NOT NULL CHECK (default_daily_cap BETWEEN 1 AND 100000),
          default_minimum_gap_seconds integer NOT NULL CHECK (default_minimum_gap_seconds BETWEEN 0 AND 86400),
          version integer NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id)
        )
        """,
        *wall("tenant_settings"),
        """
        CREATE TABLE workspaces (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          name varchar(120) NOT NULL,
          slug varchar(63) NOT NULL,
          version integer NOT NULL,
          archived_at timestamptz,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, slug)
        )
        """,
        *wall("workspaces"),
        f"""
        CREATE TABLE memberships (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          user_id uuid NOT NULL,
          role varchar(20) NOT NULL {_TENANT_ROLE},
          email varchar(320) NOT NULL,
          display_name varchar(120) NOT NULL,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, user_id)
        )
        """,
        "CREATE INDEX memberships_owners ON memberships (tenant_id, id) WHERE role = 'owner'",
        *wall("memberships"),
        """
        CREATE TABLE workspace_memberships (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          membership_id uuid NOT NULL,
          role varchar(20) NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, membership_id, workspace_id),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id) ON DELETE CASCADE,
          FOREIGN KEY (tenant_id, membership_id) REFERENCES memberships (tenant_id, id) ON DELETE CASCADE
        )
        """,
        "CREATE INDEX workspace_memberships_of_workspace ON workspace_memberships (tenant_id, workspace_id)",
        *wall("workspace_memberships"),
        f"""
        CREATE TABLE invitations (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          email varchar(320) NOT NULL,
          email_key varchar(320) NOT NULL,
          role varchar(20) NOT NULL {_TENANT_ROLE},
          workspace_roles jsonb NOT NULL,
          invited_by varchar(120) NOT NULL,
          secret_hash bytea NOT NULL,
          sealed_secret bytea,
          state varchar(20) NOT NULL CHECK (state IN ('pending', 'accepted', 'revoked', 'expired')),
          version integer NOT NULL,
          expires_at timestamptz NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id)
        )
        """,
        "CREATE UNIQUE INDEX invitations_pending ON invitations (tenant_id, email_key) WHERE state = 'pending'",
        *wall("invitations"),
        """
        CREATE TABLE sessions (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          user_id uuid NOT NULL,
          auth_epoch integer NOT NULL,
          address varchar(64) NOT NULL,
          user_agent varchar(300) NOT NULL,
          created_at timestamptz NOT NULL,
          last_used_at timestamptz NOT NULL,
          expires_at timestamptz NOT NULL,
          revoked_at timestamptz,
          revoked_because varchar(40),
          PRIMARY KEY (tenant_id, id)
        )
        """,
        "CREATE INDEX sessions_of_user ON sessions (tenant_id, user_id, id)",
        *wall("sessions"),
        """
        CREATE TABLE refresh_tokens (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          session_id uuid NOT NULL,
          secret_hash bytea NOT NULL,
          used_at timestamptz,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
        )
        """,
        "CREATE INDEX refresh_tokens_of_session ON refresh_tokens (tenant_id, session_id)",
        *wall("refresh_tokens"),
    ],
)
