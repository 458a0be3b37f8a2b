"""Rows of a tenant in all three tiers: writing them by name, and reading all of them, to prove that nothing changed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.ids import new_id
from app.core.resources import Resources
from db.core.transaction import (
    Opening,
    content_transaction,
    current,
    olap_transaction,
    shared_transaction,
    tenant_transaction,
)

Made = dict[str, dict[str, UUID]]
"""Row ids by type name of the public schema, and by a word for the state of the row."""

TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' ORDER BY 1
"""
_TEXT = (
    "SELECT '{table}' AS name, coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') AS rows "
    "FROM {table} t WHERE {key} = $1"
)
_USERS = "SELECT string_agg(u::text, E'\\n' ORDER BY u.id) FROM users u WHERE $1 = ANY (u.tenant_hints)"
_TOTP = (
    "SELECT string_agg(t::text, E'\\n' ORDER BY t.user_id) FROM user_totp t JOIN users u ON u.id = t.user_id "
    "WHERE $1 = ANY (u.tenant_hints)"
)


@dataclass(frozen=True)
class Ground:
    """Where the rows of a world are put."""

    resources: Resources
    tenant_id: UUID
    workspace_id: UUID
    user_id: UUID
    marker: str
    now: datetime
    made: Made = field(default_factory=dict)

    def new(self, type_name: str, state: str = "plain") -> UUID:
        """An id for a row that the public schema shows as this type."""
        return self.made.setdefault(type_name, {}).setdefault(state, new_id())

    def text(self, what: str) -> str:
        return f"{self.marker} {what}"

    def email(self, name: str) -> str:
        return f"{self.marker}-{name}@people.example"

    def ago(self, **by: float) -> datetime:
        return self.now - timedelta(**by)

    def times(self) -> dict[str, Any]:
        return {"version": 1, "created_at": self.now, "updated_at": self.now}


async def insert(table: str, **values: object) -> None:
    """Into the open tenant transaction."""
    row: dict[str, object] = {"tenant_id": current().tenant_id, **values}
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await current().execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


def openings(tenant_id: UUID) -> dict[str, Opening]:
    """A reading transaction of each tier, by the tier's name."""
    return {
        "oltp": tenant_transaction(tenant_id, read_only=True),
        "content": content_transaction(tenant_id, read_only=True),
        "olap": olap_transaction(tenant_id, read_only=True),
    }


async def rows_as_text(tenant_id: UUID) -> dict[str, str]:
    """Every row of the tenant, and of its people's logins, by `<tier>.<table>`."""
    found: dict[str, str] = {}
    for tier, opening in openings(tenant_id).items():
        async with opening:
            tables = [row["relname"] for row in await current().fetch(TABLES)]
            parts = [_TEXT.format(table=table, key="tenant_id") for table in tables]
            if tier == "oltp":
                parts.append(_TEXT.format(table="tenants", key="id"))
            rows = await current().fetch(" UNION ALL ".join(parts), tenant_id)
            found |= {f"{tier}.{row['name']}": row["rows"] for row in rows}
    async with shared_transaction(read_only=True):
        found["oltp.users"] = await current().fetchval(_USERS, tenant_id) or ""
        found["oltp.user_totp"] = await current().fetchval(_TOTP, tenant_id) or ""
    return found


async def uuids_of(tenant_id: UUID) -> set[UUID]:
    """Every UUID in every row of the tenant."""
    found: set[UUID] = {tenant_id}
    for opening in openings(tenant_id).values():
        async with opening:
            for table in [row["relname"] for row in await current().fetch(TABLES)]:
                for row in await current().fetch(f"SELECT * FROM {table} WHERE tenant_id = $1", tenant_id):
                    found |= {value for value in row.values() if isinstance(value, UUID)}
    return found
