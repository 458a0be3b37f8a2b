"""Campaigns with their steps, variants and enrollments, the ledger of messages, and who must never be written to."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0060_campaigns",
    "campaigns, steps, variants, enrollments, messages, attempts, counts, suppressions",
    [
        # A list may be deleted while a campaign names it: list_id is no foreign key, and launch says that it is gone.
        """
        CREATE TABLE campaigns (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          name varchar(120) NOT NULL,
          state varchar(20) NOT NULL CHECK (state IN ('draft', 'running', 'paused', 'completed', 'cancelled')),
          list_id uuid,
          postal_address varchar(500),
          enrolled_until uuid,
          enrolling boolean NOT NULL,
          launched_at timestamptz,
          paused_at timestamptz,
          completed_at timestamptz,
          cancelled_at timestamptz,
          archived_at timestamptz,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id)
        )
        """,
        "CREATE INDEX campaigns_of_workspace ON campaigns (tenant_id, workspace_id, id)",
        *wall("campaigns"),
        """
        CREATE TABLE sequence_steps (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          campaign_id uuid NOT NULL,
          position smallint NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, campaign_id, position),
          FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id)
        )
        """,
        *wall("sequence_steps"),
        """
        CREATE TABLE step_variants (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          step_id uuid NOT NULL,
          template_id uuid NOT NULL,
          template_version_id uuid,
          weight smallint NOT NULL CHECK (weight BETWEEN 1 AND 1000),
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, step_id) REFERENCES sequence_steps (tenant_id, id),
          FOREIGN KEY (tenant_id, template_id) REFERENCES templates (tenant_id, id)
        )
        """,
        "CREATE INDEX step_variants_of_step ON step_variants (tenant_id, step_id, id)",
        "CREATE INDEX step_variants_of_template ON step_variants (tenant_id, template_id)",
        *wall("step_variants"),
        """
        CREATE TABLE campaign_mailboxes (
          tenant_id uuid NOT NULL,
          campaign_id uuid NOT NULL,
          mailbox_id uuid NOT NULL,
          PRIMARY KEY (tenant_id, campaign_id, mailbox_id),
          FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id),
          FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id)
        )
        """,
        "CREATE INDEX campaign_mailboxes_of_mailbox ON campaign_mailboxes (tenant_id, mailbox_id)",
        *wall("campaign_mailboxes"),
        # One row per (campaign, mailbox), and one under the campaign's own id for what no mailbox holds: a count is
        # changed in the transaction of the fact, and two mailboxes never wait for each other's.
        """
        CREATE TABLE campaign_counts (
          tenant_id uuid NOT NULL,
          campaign_id uuid NOT NULL,
          lane uuid NOT NULL,
          waiting integer NOT NULL DEFAULT 0,
          queued integer NOT NULL DEFAULT 0,
          deferred integer NOT NULL DEFAULT 0,
          sent integer NOT NULL DEFAULT 0,
          bounced integer NOT NULL DEFAULT 0,
          failed integer NOT NULL DEFAULT 0,
          in_doubt integer NOT NULL DEFAULT 0,
          cancelled integer NOT NULL DEFAULT 0,
          suppressed integer NOT NULL DEFAULT 0,
          rate_window bigint NOT NULL DEFAULT 0,
          rate_sent integer NOT NULL DEFAULT 0,
          rate_before integer NOT NULL DEFAULT 0,
          PRIMARY KEY (tenant_id, campaign_id, lane),
          FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id)
        ) WITH (fillfactor = 50)
        """,
        *wall("campaign_counts"),
        # due_at is set exactly while an enrollment waits for its next step: planning reads this index alone, so that
        # its cost per due enrollment is the same at ten thousand and at a million.
        """
        CREATE TABLE enrollments (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          campaign_id uuid NOT NULL,
          contact_id uuid NOT NULL,
          state varchar(20) NOT NULL
            CHECK (state IN ('waiting', 'in_progress', 'completed', 'stopped', 'suppressed', 'cancelled')),
          next_position smallint NOT NULL,
          due_at timestamptz,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, campaign_id, contact_id),
          FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id),
          FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE,
          CHECK ((due_at IS NOT NULL) = (state = 'waiting'))
        ) WITH (fillfactor = 80)
        """,
        "CREATE INDEX enrollments_due ON enrollments (tenant_id, campaign_id, due_at, id) WHERE due_at IS NOT NULL",
        "CREATE INDEX enrollments_of_campaign ON enrollments (tenant_id, campaign_id, id)",
        "CREATE INDEX enrollments_of_contact ON enrollments (tenant_id, contact_id)",
        *wall("enrollments"),
        # The ledger. contact_id and enrollment_id outlive an erased contact. due_at is set exactly while it waits.
        """
        CREATE TABLE messages (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          campaign_id uuid NOT NULL,
          step_id uuid NOT NULL,
          variant_id uuid NOT NULL,
          template_version_id uuid NOT NULL,
          enrollment_id uuid NOT NULL,
          contact_id uuid NOT NULL,
          mailbox_id uuid,
          to_address varchar(254) NOT NULL,
          email_key varchar(254) COLLATE "C" NOT NULL,
          recipient_domain varchar(253) NOT NULL,
          state varchar(20) NOT NULL CHECK (state IN ('planned', 'queued', 'claimed', 'submitting', 'sent', 'deferred',
            'bounced', 'failed', 'in_doubt', 'cancelled')),
          due_at timestamptz,
          fence integer NOT NULL,
          attempts smallint NOT NULL,
          first_tried_at timestamptz,
          submitted_at timestamptz,
          settled_at timestamptz,
          message_id_header varchar(320),
          content_sha256 bytea,
          merge_values jsonb,
          reply text,
          reason text,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, campaign_id, step_id, contact_id),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
          FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id),
          FOREIGN KEY (tenant_id, step_id) REFERENCES sequence_steps (tenant_id, id),
          FOREIGN KEY (tenant_id, variant_id) REFERENCES step_variants (tenant_id, id),
          FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id),
          CHECK ((due_at IS NOT NULL) = (state IN ('planned', 'queued', 'deferred'))),
          CHECK (state = 'planned' OR state = 'cancelled' OR mailbox_id IS NOT NULL)
        ) WITH (fillfactor = 70)
        """,
        "CREATE INDEX messages_due ON messages (tenant_id, mailbox_id, due_at, id) WHERE due_at IS NOT NULL",
        "CREATE INDEX messages_unsettled ON messages (tenant_id, campaign_id, id) WHERE due_at IS NOT NULL",
        "CREATE INDEX messages_in_hand ON messages (tenant_id, mailbox_id) WHERE state IN ('claimed', 'submitting')",
        "CREATE INDEX messages_of_campaign ON messages (tenant_id, campaign_id, state, id)",
        "CREATE INDEX messages_to_address ON messages (tenant_id, email_key) WHERE due_at IS NOT NULL",
        *wall("messages"),
        """
        CREATE TABLE message_attempts (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          message_id uuid NOT NULL,
          mailbox_id uuid NOT NULL,
          outcome varchar(20) NOT NULL,
          reply text,
          reason text,
          at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id),
          FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id)
        )
        """,
        "CREATE INDEX message_attempts_of_message ON message_attempts (tenant_id, message_id, id)",
        *wall("message_attempts"),
        """
        CREATE TABLE suppressions (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          email_key varchar(254) COLLATE "C" NOT NULL,
          reason varchar(20) NOT NULL CHECK (reason IN ('unsubscribed', 'bounced', 'complained', 'manual')),
          source varchar(40) NOT NULL,
          note text,
          campaign_id uuid,
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, email_key),
          FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id)
        )
        """,
        *wall("suppressions"),
    ],
)
