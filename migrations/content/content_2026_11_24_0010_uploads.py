"""Uploads in chunks: compressed, counted and hashed as they arrive, swept a day later."""

from db.core.migration import Plain, sql_migration, wall

MIGRATION = sql_migration(
    "content",
    "content_2026_11_24_0010_uploads",
    "uploads and their chunks",
    [
        """
        CREATE TABLE uploads (
          tenant_id uuid NOT NULL,
          id uuid NOT NULL,
          workspace_id uuid NOT NULL,
          purpose varchar(20) NOT NULL CHECK (purpose IN ('contacts')),
          state varchar(20) NOT NULL CHECK (state IN ('waiting', 'receiving', 'complete')),
          attempt integer NOT NULL,
          file_name varchar(255) NOT NULL,
          size_bytes bigint NOT NULL,
          sha256 bytea,
          secret_hash bytea NOT NULL,
          created_at timestamptz NOT NULL,
          expires_at timestamptz NOT NULL,
          completed_at timestamptz,
          PRIMARY KEY (tenant_id, id),
          CHECK ((state = 'complete') = (sha256 IS NOT NULL))
        )
        """,
        "CREATE INDEX uploads_by_age ON uploads (tenant_id, created_at)",
        *wall("uploads"),
        """
        CREATE TABLE upload_chunks (
          tenant_id uuid NOT NULL,
          upload_id uuid NOT NULL,
          attempt integer NOT NULL,
          number integer NOT NULL,
          data bytea NOT NULL,
          PRIMARY KEY (tenant_id, upload_id, attempt, number),
          FOREIGN KEY (tenant_id, upload_id) REFERENCES uploads (tenant_id, id) ON DELETE CASCADE
        )
        """,
        Plain("ALTER TABLE upload_chunks ALTER COLUMN data SET STORAGE EXTERNAL"),  # it is compressed already
        *wall("upload_chunks"),
    ],
)
