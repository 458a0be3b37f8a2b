"""What last kept a mailbox's own server from being used, until it works again."""

from db.core.migration import sql_migration

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0090_mailbox_problems",
    "mailboxes' last passing problem",
    [
        "ALTER TABLE mailbox_runs ADD COLUMN last_problem text, ADD COLUMN last_problem_at timestamptz, "
        "ADD CHECK ((last_problem IS NULL) = (last_problem_at IS NULL))",
    ],
)
