"""Mailboxes that send, the run that sends for each, their DKIM keys, and the providers that asked for less."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0050_mailboxes",
    "mailboxes, mailbox runs, provider slow-downs, DKIM keys",
    [
        """
        CREATE TABLE mailboxes (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          address varchar(254) NOT NULL,
          address_key varchar(254) NOT NULL,
          domain varchar(253) NOT NULL,
          display_name varchar(120) NOT NULL,
          smtp_host varchar(253) NOT NULL,
          smtp_port integer NOT NULL CHECK (smtp_port BETWEEN 1 AND 65535),
          smtp_security varchar(20) NOT NULL CHECK (smtp_security IN ('IMPLICIT_TLS', 'STARTTLS', 'PLAIN')),
          smtp_username varchar(320) NOT NULL,
          smtp_secret bytea,
          smtp_version integer NOT NULL,
          state varchar(20) NOT NULL CHECK (state IN ('unverified', 'verified', 'failed', 'disconnected')),
          paused_at timestamptz,
          pause_reason text,
          daily_cap integer NOT NULL CHECK (daily_cap BETWEEN 1 AND 100000),
          minimum_gap_seconds integer NOT NULL CHECK (minimum_gap_seconds BETWEEN 0 AND 86400),
          verdict_problem varchar(40),
          verdict_sentence text,
          verdict_at timestamptz,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
          CHECK ((paused_at IS NULL) = (pause_reason IS NULL)),
          CHECK ((smtp_secret IS NULL) = (state = 'disconnected'))
        )
        """,
        "CREATE UNIQUE INDEX mailboxes_address ON mailboxes (tenant_id, address_key) WHERE state <> 'disconnected'",
        "CREATE INDEX mailboxes_of_workspace ON mailboxes (tenant_id, workspace_id, id)",
        "CREATE INDEX mailboxes_of_domain ON mailboxes (tenant_id, domain)",
        *wall("mailboxes"),
        # One narrow row per mailbox that the run alone writes for every mail, apart from what people edit.
        """
        CREATE TABLE mailbox_runs (
          tenant_id uuid NOT NULL,
          mailbox_id uuid NOT NULL,
          fence integer NOT NULL,
          lease_until timestamptz,
          sent_on date,
          sent_today integer NOT NULL,
          next_send_at timestamptz,
          failures smallint NOT NULL,
          PRIMARY KEY (tenant_id, mailbox_id),
          FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id)
        ) WITH (fillfactor = 50)
        """,
        *wall("mailbox_runs"),
        """
        CREATE TABLE provider_slowdowns (
          tenant_id uuid NOT NULL,
          mailbox_id uuid NOT NULL,
          recipient_domain varchar(253) NOT NULL,
          level smallint NOT NULL,
          until_at timestamptz NOT NULL,
          reply text NOT NULL,
          PRIMARY KEY (tenant_id, mailbox_id, recipient_domain),
          FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id)
        )
        """,
        *wall("provider_slowdowns"),
        """
        CREATE TABLE dkim_keys (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          domain varchar(253) NOT NULL,
          selector varchar(63) NOT NULL,
          private_key bytea,
          public_record text NOT NULL,
          state varchar(20) NOT NULL CHECK (state IN ('pending', 'active', 'retired')),
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          activated_at timestamptz,
          retired_at timestamptz,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, domain, selector),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
          CHECK ((private_key IS NULL) = (state = 'retired'))
        )
        """,
        "CREATE UNIQUE INDEX dkim_keys_active ON dkim_keys (tenant_id, domain) WHERE state = 'active'",
        "CREATE INDEX dkim_keys_of_workspace ON dkim_keys (tenant_id, workspace_id, id)",
        *wall("dkim_keys"),
    ],
)
