"""Second factors of users (shared, like users): the sealed TOTP secret with its last accepted step, and recovery codes."""

from db.core.migration import shared, sql_migration

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0080_totp",
    "users' TOTP and recovery codes",
    [
        """
        CREATE TABLE user_totp (
          user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
          sealed_secret bytea NOT NULL,
          confirmed_at timestamptz,
          last_step bigint NOT NULL,
          created_at timestamptz NOT NULL
        )
        """,
        *shared("user_totp"),
        """
        CREATE TABLE user_recovery_codes (
          id uuid PRIMARY KEY,
          user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
          code_hash bytea NOT NULL,
          used_at timestamptz,
          UNIQUE (user_id, code_hash)
        )
        """,
        *shared("user_recovery_codes"),
    ],
)
