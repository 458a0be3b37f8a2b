"""Piccolo's classes and PostgreSQL's catalog agree, and every tenant table keeps to what Nile offers."""

import importlib
import pkgutil
import re
from typing import Any

import asyncpg
import pytest
from piccolo.table import Table

import db.tables
from db.core.migrating import TIER_ORDER, migrations_of
from db.core.migration import OWNER, Plain
from db.tables.shared import SHARED_TABLES
from tests.house.catalog import columns_of, tables
from tests.servers import TestServers

NORMAL = {
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIMESTAMP": "timestamp without time zone",
    "VARCHAR": "character varying",
    "INTEGER": "integer",
    "DOUBLE PRECISION": "double precision",
}


def declared_tables() -> dict[tuple[str, str], type[Table]]:
    found: dict[tuple[str, str], type[Table]] = {}
    for module in pkgutil.iter_modules(db.tables.__path__):
        for value in vars(importlib.import_module(f"db.tables.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Table) and value is not Table:
                found[value._meta.db.tier, value._meta.tablename] = value  # type: ignore[attr-defined]
    return found


def declared_columns(table: type[Table]) -> dict[str, tuple[str, bool]]:
    def type_of(column: Any) -> str:
        name = re.sub(r"\(\d+\)", "", str(column.column_type))
        element = name.removesuffix("[]")
        return NORMAL.get(element, element.lower()) + name[len(element) :]

    return {c._meta.db_column_name: (type_of(c), not c._meta.null) for c in table._meta.columns}


async def test_every_table_has_a_class_and_every_class_a_table(servers: TestServers, databases: dict[str, str]) -> None:
    in_catalog: set[tuple[str, str, str, str, bool]] = set()

    for tier in TIER_ORDER:
        connection = await asyncpg.connect(servers.url(databases[tier], OWNER))
        for table in await tables(connection):
            if table != "migration":
                for column in await columns_of(connection, table):
                    in_catalog.add((tier, table, column.name, column.type, column.not_null))
        await connection.close()
    declared = {
        (*key, name, *column)
        for key, table in declared_tables().items()
        for name, column in declared_columns(table).items()
    }

    problems = [f"catalog only: {column}" for column in sorted(in_catalog - declared)]
    problems += [f"class only: {column}" for column in sorted(declared - in_catalog)]
    assert not problems, "\n".join(problems)


def _nile_statements(tier: str) -> list[tuple[str, str]]:
    return [
        (migration.id, statement)
        for migration in migrations_of(tier)
        for statement in migration.statements
        if not isinstance(statement, Plain)
    ]


NOT_ON_NILE = re.compile(
    r"\b(CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|TRIGGER|POLICY|ROLE|USER|DATABASE|EXTENSION|SEQUENCE)|GRANT|REVOKE|COMMENT\s+ON|"
    r"ROW\s+LEVEL\s+SECURITY|SERIAL|BIGSERIAL|GENERATED|nextval|TABLESPACE|SET\s+LOCAL\s+ROLE)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("tier", TIER_ORDER)
def test_what_is_not_marked_plain_runs_on_nile(tier: str) -> None:
    problems = [f"{name}: {m.group(0)}" for name, sql in _nile_statements(tier) if (m := NOT_ON_NILE.search(sql))]

    assert problems == []


@pytest.mark.parametrize("tier", TIER_ORDER)
def test_tenant_tables_are_keyed_by_tenant_and_refer_to_no_shared_table(tier: str) -> None:
    problems = []

    for name, sql in _nile_statements(tier):
        made = re.match(r"\s*CREATE TABLE (?:IF NOT EXISTS )?(\w+)", sql)
        if made is None or made.group(1) in SHARED_TABLES[tier] or made.group(1) == "tenants":
            continue
        if not re.search(r"PRIMARY KEY\s*\(tenant_id|tenant_id uuid (NOT NULL )?PRIMARY KEY", sql):
            problems.append(f"{name}: {made.group(1)} has no primary key that starts with tenant_id")
        for target in re.findall(r"REFERENCES (\w+)", sql):
            if target in SHARED_TABLES[tier]:
                problems.append(f"{name}: {made.group(1)} refers to the shared table {target}")

    assert problems == []


def test_migration_names_are_unique_over_the_three_folders() -> None:
    names = [migration.id for tier in TIER_ORDER for migration in migrations_of(tier)]

    assert len(names) == len(set(names))
