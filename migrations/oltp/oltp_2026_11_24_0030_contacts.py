"""Contacts, the lists they are on, and their imports with the rows that became no contact."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0030_contacts",
    "contacts, lists, imports",
    [
        # Keys are ASCII in lower case, and collate as bytes so that a prefix is a range of the unique index.
        """
        CREATE TABLE contacts (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          email varchar(254) NOT NULL,
          email_key varchar(254) COLLATE "C" NOT NULL,
          first_name varchar(200) NOT NULL,
          last_name varchar(200) NOT NULL,
          company varchar(200) NOT NULL,
          fields jsonb NOT NULL,
          status varchar(20) NOT NULL CHECK (status IN ('active', 'unsubscribed', 'bounced', 'complained')),
          import_id uuid,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, workspace_id, email_key),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id)
        )
        """,
        "CREATE INDEX contacts_of_workspace ON contacts (tenant_id, workspace_id, id)",
        *wall("contacts"),
        """
        CREATE TABLE contact_lists (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          name varchar(120) NOT NULL,
          contact_count integer NOT NULL,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          UNIQUE (tenant_id, workspace_id, name),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id)
        )
        """,
        "CREATE INDEX contact_lists_of_workspace ON contact_lists (tenant_id, workspace_id, id)",
        *wall("contact_lists"),
        """
        CREATE TABLE contact_list_members (
          tenant_id uuid NOT NULL,
          list_id uuid NOT NULL,
          contact_id uuid NOT NULL,
          added_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, list_id, contact_id),
          FOREIGN KEY (tenant_id, list_id) REFERENCES contact_lists (tenant_id, id) ON DELETE CASCADE,
          FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE
        )
        """,
        "CREATE INDEX contact_list_members_of_contact ON contact_list_members (tenant_id, contact_id)",
        *wall("contact_list_members"),
        # next_offset and next_row move in the transaction that writes the contacts up to them.
        """
        CREATE TABLE contact_imports (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          list_id uuid,
          upload_id uuid NOT NULL,
          file_name varchar(255) NOT NULL,
          size_bytes bigint NOT NULL,
          state varchar(20) NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'cancelled', 'failed')),
          on_duplicate varchar(10) NOT NULL CHECK (on_duplicate IN ('skip', 'update')),
          format jsonb NOT NULL,
          columns jsonb NOT NULL,
          part integer NOT NULL,
          next_offset bigint NOT NULL,
          next_row integer NOT NULL,
          rows_read integer NOT NULL,
          rows_created integer NOT NULL,
          rows_updated integer NOT NULL,
          rows_duplicate integer NOT NULL,
          rows_rejected integer NOT NULL,
          failure text,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          finished_at timestamptz,
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
          FOREIGN KEY (tenant_id, list_id) REFERENCES contact_lists (tenant_id, id)
        )
        """,
        "CREATE INDEX contact_imports_of_workspace ON contact_imports (tenant_id, workspace_id, id)",
        "CREATE INDEX contact_imports_of_list ON contact_imports (tenant_id, list_id)",
        "CREATE INDEX contact_imports_of_upload ON contact_imports (tenant_id, upload_id)",
        *wall("contact_imports"),
        """
        CREATE TABLE contact_import_errors (
          tenant_id uuid NOT NULL,
          import_id uuid NOT NULL,
          row_number integer NOT NULL,
          problem varchar(20) NOT NULL,
          message text NOT NULL,
          cells jsonb NOT NULL,
          PRIMARY KEY (tenant_id, import_id, row_number),
          FOREIGN KEY (tenant_id, import_id) REFERENCES contact_imports (tenant_id, id) ON DELETE CASCADE
        )
        """,
        *wall("contact_import_errors"),
    ],
)
