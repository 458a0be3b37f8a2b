"""Migrations as data: hand-written SQL in order, with the walls that plain PostgreSQL needs and Nile does not have."""

from collections.abc import Sequence
from dataclasses import dataclass

OWNER, APP, SYSTEM, BACKUP = ("penguinmails_owner", "penguinmails_app", "penguinmails_system", "penguinmails_backup")

TENANT_SETTING = "NULLIF(current_setting('nile.tenant_id', true), '')::uuid"


@dataclass(frozen=True, slots=True)
class Plain:
    """A statement for plain PostgreSQL only: roles, grants, policies. Nile has none of them."""

    sql: str


Statement = str | Plain


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a tier's schema. Files sort by id; an id is never used twice, not even in another tier."""

    tier: str
    id: str
    description: str
    statements: tuple[Statement, ...]


def sql_migration(tier: str, migration_id: str, description: str, statements: Sequence[Statement]) -> Migration:
    """A migration of `tier` ("oltp", "content" or "olap"); assigned to MIGRATION in migrations/<tier>/<id>.py."""
    return Migration(tier, migration_id, description, tuple(statements))


def wall(table: str, *, tenant_column: str = "tenant_id") -> list[Statement]:
    """Row-level security, forced; the app role reaches the set tenant's rows only, the owner all (for backfills)."""
    tenant = f"{tenant_column} = {TENANT_SETTING}"
    return [
        Plain(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
        Plain(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
        Plain(f"CREATE POLICY tenant ON {table} TO {APP} USING ({tenant}) WITH CHECK ({tenant})"),
        Plain(f"CREATE POLICY maintenance ON {table} TO {OWNER} USING (true) WITH CHECK (true)"),
        Plain(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {APP}"),
    ]


def shared(table: str) -> list[Statement]:
    """Grants of a table without tenants. It must also stand, with its reason, on the list of shared tables."""
    return [Plain(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {APP}")]
