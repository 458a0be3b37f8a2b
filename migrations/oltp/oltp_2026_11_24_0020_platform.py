"""The outbox, live events, the audit trail, and the relay's lease."""

from db.core.migration import Plain, shared, sql_migration, wall

_WAITING = "state IN ('queued', 'retry_scheduled')"

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0020_platform",
    "outbox, live events, audit trail, relay lease",
    [
        """
        CREATE TABLE jobs (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          queue varchar(40) NOT NULL,
          priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 3),
          kind varchar(80) NOT NULL,
          payload jsonb NOT NULL,
          state varchar(20) NOT NULL
            CHECK (state IN ('queued', 'dispatched', 'running', 'completed', 'retry_scheduled', 'dead')),
          due_at timestamptz,
          dispatched_at timestamptz,
          lease_until timestamptz,
          fence integer NOT NULL,
          attempt smallint NOT NULL,
          max_attempts smallint NOT NULL,
          timeout_seconds integer NOT NULL,
          dedupe_key varchar(200),
          request_id varchar(64) NOT NULL,
          worker varchar(120),
          error text,
          created_at timestamptz NOT NULL,
          finished_at timestamptz,
          PRIMARY KEY (tenant_id, id),
          CHECK ((due_at IS NOT NULL) = (state IN ('queued', 'retry_scheduled')))
        )
        """,
        f"CREATE INDEX jobs_due ON jobs (queue, due_at, tenant_id) WHERE {_WAITING}",
        f"CREATE INDEX jobs_due_fair ON jobs (queue, tenant_id, priority, due_at, id) WHERE {_WAITING}",
        "CREATE INDEX jobs_in_flight ON jobs (queue, state, lease_until) WHERE state IN ('dispatched', 'running')",
        f"CREATE UNIQUE INDEX jobs_dedupe ON jobs (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL AND {_WAITING}",
        "CREATE INDEX jobs_finished ON jobs (tenant_id, finished_at) WHERE finished_at IS NOT NULL",
        "CREATE INDEX jobs_dead ON jobs (tenant_id, queue, id) WHERE state = 'dead'",
        *wall("jobs"),
        Plain("CREATE POLICY loops_read ON jobs FOR SELECT TO penguinmails_system USING (true)"),
        Plain(
            "CREATE POLICY loops_move ON jobs FOR UPDATE TO penguinmails_system "
            "USING (state IN ('queued', 'retry_scheduled', 'dispatched', 'running')) "
            "WITH CHECK (state IN ('queued', 'retry_scheduled', 'dispatched'))"
        ),
        Plain(
            "GRANT SELECT (tenant_id, id, queue, priority, state, due_at, dispatched_at, lease_until, finished_at), "
            "UPDATE (state, due_at, dispatched_at, lease_until) ON jobs TO penguinmails_system"
        ),
        """
        CREATE TABLE live_events (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          position bigint,
          topic varchar(80) NOT NULL,
          workspace_id uuid,
          object_type varchar(40) NOT NULL,
          object_id uuid NOT NULL,
          version integer NOT NULL,
          payload jsonb NOT NULL,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id)
        )
        """,
        "CREATE UNIQUE INDEX live_events_position ON live_events (tenant_id, position)",
        "CREATE INDEX live_events_unnumbered ON live_events (id) WHERE position IS NULL",
        "CREATE INDEX live_events_object ON live_events (tenant_id, object_id, position)",
        *wall("live_events"),
        Plain("CREATE POLICY loops_read ON live_events FOR SELECT TO penguinmails_system USING (true)"),
        Plain(
            "CREATE POLICY loops_number ON live_events FOR UPDATE TO penguinmails_system USING (true) WITH CHECK (true)"
        ),
        Plain("GRANT SELECT, UPDATE (position) ON live_events TO penguinmails_system"),
        """
        CREATE TABLE live_heads (
          tenant_id uuid PRIMARY KEY,
          last_position bigint NOT NULL,
          expired_position bigint NOT NULL DEFAULT 0
        )
        """,
        *wall("live_heads"),
        Plain("CREATE POLICY loops ON live_heads TO penguinmails_system USING (true) WITH CHECK (true)"),
        Plain("GRANT SELECT, INSERT, UPDATE ON live_heads TO penguinmails_system"),
        """
        CREATE TABLE audit_log (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          action varchar(80) NOT NULL,
          actor varchar(80) NOT NULL,
          object_type varchar(40) NOT NULL,
          object_id uuid,
          details jsonb NOT NULL,
          address varchar(64) NOT NULL,
          request_id varchar(64) NOT NULL,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id)
        )
        """,
        *wall("audit_log"),
        Plain("REVOKE UPDATE, DELETE ON audit_log FROM penguinmails_app"),
        """
        CREATE TABLE relay_lease (
          name varchar(40) PRIMARY KEY,
          holder varchar(120) NOT NULL,
          fence bigint NOT NULL,
          lease_until timestamptz NOT NULL
        )
        """,
        *shared("relay_lease"),
        Plain("REVOKE ALL ON relay_lease FROM penguinmails_app"),
        Plain("GRANT SELECT, INSERT, UPDATE ON relay_lease TO penguinmails_system"),
    ],
)
