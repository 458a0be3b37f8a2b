"""Idempotency keys and the answers that were given under them."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0025_idempotency",
    "idempotency keys with their stored answers",
    [
        """
        CREATE TABLE idempotency_answers (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          actor varchar(120) NOT NULL,
          operation varchar(80) NOT NULL,
          key varchar(255) NOT NULL,
          input_hash bytea NOT NULL,
          state varchar(20) NOT NULL CHECK (state IN ('in_flight', 'committed', 'answered')),
          fence uuid NOT NULL,
          lease_until timestamptz NOT NULL,
          answer jsonb,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          CHECK ((answer IS NOT NULL) = (state = 'answered'))
        )
        """,
        "CREATE UNIQUE INDEX idempotency_answers_key ON idempotency_answers (tenant_id, actor, operation, key)",
        "CREATE INDEX idempotency_answers_age ON idempotency_answers (tenant_id, created_at)",
        *wall("idempotency_answers"),
    ],
)
