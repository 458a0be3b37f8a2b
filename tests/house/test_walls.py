"""Every table is walled or shared for a reason, keyed by tenant throughout, and each role can do only its own work."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.core.ids import new_id
from db.core.migration import APP, BACKUP, OWNER, SYSTEM, TENANT_SETTING
from db.tables.shared import LOOP_INDEXES, SHARED_TABLES
from tests.house.catalog import FOREIGN_KEYS, INDEXES, WALLS, columns_of, tables
from tests.servers import TestServers

TIERS = ("oltp", "content", "olap")


@pytest_asyncio.fixture(params=TIERS)
async def tier(
    request: pytest.FixtureRequest, servers: TestServers, databases: dict[str, str]
) -> AsyncIterator[tuple[str, Any]]:
    connection = await asyncpg.connect(servers.url(databases[request.param], OWNER))
    yield request.param, connection
    await connection.close()


async def test_every_table_is_walled_or_shared_for_a_reason(tier: tuple[str, Any]) -> None:
    name, connection = tier
    problems = []

    for table in await tables(connection):
        if table in SHARED_TABLES[name]:
            continue
        wall = await connection.fetchrow(WALLS, table)
        if not (wall["relrowsecurity"] and wall["relforcerowsecurity"]):
            problems.append(f"{table}: row-level security is not enabled and forced")
        column = "id" if table == "tenants" else "tenant_id"
        expected = f"({column} = (NULLIF(current_setting('nile.tenant_id'::text, true), ''::text))::uuid)"
        if wall["policies"] != [f"{expected} / {expected}"]:
            problems.append(f"{table}: the app role's policy is {wall['policies']}")

    assert problems == []
    assert TENANT_SETTING == "NULLIF(current_setting('nile.tenant_id', true), '')::uuid"


async def test_tenant_id_leads_every_key_index_and_reference(tier: tuple[str, Any]) -> None:
    name, connection = tier
    problems = []

    for table in await tables(connection):
        if table in SHARED_TABLES[name] or table == "tenants":
            continue
        for index in await connection.fetch(INDEXES, table):
            if index["first_column"] != "tenant_id" and index["name"] not in LOOP_INDEXES:
                problems.append(f"{table}: index {index['name']} starts with {index['first_column']}")
        for key in await connection.fetch(FOREIGN_KEYS, table):
            if key["first_column"] != "tenant_id" or key["target"] in SHARED_TABLES[name]:
                problems.append(f"{table}: {key['definition']}")

    assert problems == []


async def test_every_reference_to_a_tenants_row_is_a_foreign_key(tier: tuple[str, Any]) -> None:
    """A column `<noun>_id` that names a table of the same tier must be held by (tenant_id, <noun>_id)."""
    _, connection = tier
    known = set(await tables(connection))
    loose = {"messages.contact_id", "messages.enrollment_id"}  # they outlive an erased contact
    problems = []

    for table in sorted(known):
        held = " ".join(row["definition"] for row in await connection.fetch(FOREIGN_KEYS, table))
        for column in await columns_of(connection, table):
            target = column.name.removesuffix("_id") + "s"
            is_reference = column.name.endswith("_id") and target in known and target not in ("tenants", "users")
            if is_reference and f"(tenant_id, {column.name})" not in held and f"{table}.{column.name}" not in loose:
                problems.append(f"{table}.{column.name} -> {target}")

    assert problems == ([] if "jobs" not in known else [p for p in problems if p.startswith("live_events.")])


async def test_the_app_role_sees_nothing_without_a_tenant_and_cannot_define_anything(
    servers: TestServers, databases: dict[str, str]
) -> None:
    for name in TIERS:
        connection = await asyncpg.connect(servers.url(databases[name], APP))
        try:
            for table in await tables(connection):
                if table not in SHARED_TABLES[name]:
                    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            for statement in (
                "CREATE TABLE mine (id int)",
                "ALTER TABLE migration ADD COLUMN x int",
                "SET ROLE penguinmails_owner",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()


async def test_no_role_of_ours_is_a_superuser_and_only_backup_passes_the_walls(servers: TestServers) -> None:
    connection = await asyncpg.connect(servers.admin_url)
    rows = await connection.fetch(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname LIKE 'penguinmails_%'"
    )
    await connection.close()

    assert {row["rolname"] for row in rows} == {OWNER, APP, SYSTEM, BACKUP}
    assert [row["rolname"] for row in rows if row["rolsuper"] or row["rolcreaterole"] or row["rolcreatedb"]] == []
    assert [row["rolname"] for row in rows if row["rolbypassrls"]] == [BACKUP]


async def test_the_backup_role_reads_every_table_of_ours_and_no_password_of_the_server(
    servers: TestServers, databases: dict[str, str]
) -> None:
    for database in databases.values():
        connection = await asyncpg.connect(servers.url(database, BACKUP))
        owner = await asyncpg.connect(servers.url(database, OWNER))
        try:
            assert await connection.fetchval("SELECT count(*) FROM pg_roles") > 0
            for refused in ("pg_authid", "pg_statistic", "pg_largeobject", "pg_user_mapping"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"SELECT * FROM {refused} LIMIT 1")
            async with owner.transaction():
                await owner.execute("CREATE TABLE made_later (id int)")  # by a later migration: readable at once
                assert await owner.fetchval(f"SELECT has_table_privilege('{BACKUP}', 'made_later', 'SELECT')")
                await owner.execute("DROP TABLE made_later")
            for table in await tables(connection):
                await connection.execute(f"SELECT * FROM {table} LIMIT 1")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"DELETE FROM {table}")
        finally:
            await connection.close()
            await owner.close()


async def test_the_system_role_moves_jobs_and_reads_no_payload(servers: TestServers, databases: dict[str, str]) -> None:
    connection = await asyncpg.connect(servers.url(databases["oltp"], SYSTEM))
    refused = (
        "SELECT payload FROM jobs",
        "SELECT * FROM jobs",
        "UPDATE jobs SET payload = '{}'",
        "DELETE FROM jobs",
        f"INSERT INTO jobs (tenant_id, id) VALUES ('{new_id()}', '{new_id()}')",
        "DELETE FROM live_events",
        "UPDATE live_events SET payload = '{}'",
        "SELECT * FROM audit_log",
        "SELECT * FROM tenants",
        "SELECT * FROM users",
        "SELECT * FROM contacts",
    )
    try:
        assert await connection.fetchval("SELECT count(id) FROM jobs") >= 0
        for statement in refused:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_owner_changes_rows_of_every_tenant_in_a_migration(
    servers: TestServers, databases: dict[str, str]
) -> None:
    """Under FORCE an owner without a policy of its own changes 0 rows and is told nothing."""
    app = await asyncpg.connect(servers.url(databases["oltp"], APP))
    owner = await asyncpg.connect(servers.url(databases["oltp"], OWNER))
    tenant = new_id()
    try:
        async with app.transaction():
            await app.execute(f"SET LOCAL nile.tenant_id = '{tenant}'")
            await app.execute("INSERT INTO live_heads (tenant_id, last_position) VALUES ($1, 1)", tenant)
        changed = await owner.execute("UPDATE live_heads SET last_position = 2 WHERE tenant_id = $1", tenant)
        removed = await owner.execute("DELETE FROM live_heads WHERE tenant_id = $1", tenant)
    finally:
        await app.close()
        await owner.close()

    assert (changed, removed) == ("UPDATE 1", "DELETE 1")


async def test_the_audit_trail_cannot_be_rewritten_by_the_app_role(
    servers: TestServers, databases: dict[str, str]
) -> None:
    connection = await asyncpg.connect(servers.url(databases["oltp"], APP))
    try:
        for statement in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
