"""Templates: names and versions. What a version says stands in the Content tier, under the version's id."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0040_templates",
    "templates",
    [
        # version_ids holds every version, oldest first: a version in the Content tier that is not in it was never committed.
        """
        CREATE TABLE templates (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          name varchar(120) NOT NULL,
          current_version_id uuid NOT NULL,
          version_ids uuid[] NOT NULL,
          archived_at timestamptz,
          version integer NOT NULL,
          created_at timestamptz NOT NULL,
          updated_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
          CHECK (current_version_id = ANY (version_ids))
        )
        """,
        "CREATE UNIQUE INDEX templates_name ON templates (tenant_id, workspace_id, name) WHERE archived_at IS NULL",
        "CREATE INDEX templates_of_workspace ON templates (tenant_id, workspace_id, id)",
        *wall("templates"),
    ],
)
