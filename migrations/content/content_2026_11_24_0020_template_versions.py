"""What each version of a template says. Rows are written before the template's own row names them, and never change."""

from db.core.migration import sql_migration, wall

MIGRATION = sql_migration(
    "content",
    "content_2026_11_24_0020_template_versions",
    "template versions",
    [
        """
        CREATE TABLE template_versions (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          template_id uuid NOT NULL,
          number integer NOT NULL,
          subject varchar(998) NOT NULL,
          text_body text,
          html_body text,
          on_missing_field varchar(10) NOT NULL CHECK (on_missing_field IN ('error', 'empty')),
          created_at timestamptz NOT NULL,
          PRIMARY KEY (tenant_id, id),
          CHECK (text_body IS NOT NULL OR html_body IS NOT NULL)
        )
        """,
        "CREATE INDEX template_versions_of_template ON template_versions (tenant_id, template_id, id)",
        "CREATE INDEX template_versions_by_age ON template_versions (tenant_id, created_at)",
        *wall("template_versions"),
    ],
)
