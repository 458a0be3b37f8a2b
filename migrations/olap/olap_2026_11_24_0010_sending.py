"""What was sent, by day, campaign and mailbox; and how far the recorded events have been counted."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "olap",
    "olap_2026_11_24_0010_sending",
    "sending by day, rollup marks",
    [
        """
        CREATE TABLE sending_days (
          tenant_id uuid NOT NULL,
          sent_on date NOT NULL,
          campaign_id uuid NOT NULL,
          mailbox_id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          sent integer NOT NULL,
          bounced integer NOT NULL,
          failed integer NOT NULL,
          deferred integer NOT NULL,
          in_doubt integer NOT NULL,
          PRIMARY KEY (tenant_id, sent_on, campaign_id, mailbox_id)
        )
        """,
        "CREATE INDEX sending_days_of_workspace ON sending_days (tenant_id, workspace_id, sent_on)",
        *wall("sending_days"),
        # The mark moves in the transaction that counts, so that an event is counted once however often a job is repeated.
        """
        CREATE TABLE rollup_marks (
          tenant_id uuid NOT NULL,
          name varchar(40) NOT NULL,
          position bigint NOT NULL,
          counted_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, name)
        )
        """,
        *wall("rollup_marks"),
    ],
)
