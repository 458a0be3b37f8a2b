"""Reads PostgreSQL's own catalog, for tests that hold the schema to its rules."""

from dataclasses import dataclass

import asyncpg

COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attnotnull AS not_null
FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
TABLES = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1"
WALLS = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
  coalesce((SELECT array_agg(pg_get_expr(p.polqual, p.polrelid) || ' / ' || pg_get_expr(p.polwithcheck, p.polrelid))
            FROM pg_policy p WHERE p.polrelid = c.oid AND 'penguinmails_app'::regrole = ANY (p.polroles)), '{}') AS policies
FROM pg_class c WHERE c.relname = $1
"""
INDEXES = """
SELECT i.indexrelid::regclass::text AS name, i.indisunique AS is_unique,
  (SELECT attname FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[0]) AS first_column
FROM pg_index i WHERE i.indrelid = $1::text::regclass
"""
FOREIGN_KEYS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition, confrelid::regclass::text AS target,
  (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]) AS first_column
FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'f'
"""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    not_null: bool


async def tables(connection: asyncpg.Connection) -> list[str]:
    return [row["relname"] for row in await connection.fetch(TABLES)]


async def columns_of(connection: asyncpg.Connection, table: str) -> list[Column]:
    return [Column(row["name"], row["type"], row["not_null"]) for row in await connection.fetch(COLUMNS, table)]
