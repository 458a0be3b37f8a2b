"""Migrations run whole or not at all, once, and without what Nile does not have."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
import pytest_asyncio

from app.core.ids import new_id
from db.core import migrating
from db.core.migrating import MigrationFailed, migrate, pending
from db.core.migration import OWNER, Migration, Plain, Statement, sql_migration
from tests.servers import TestServers

GOOD = sql_migration("olap", "olap_0001_good", "one table", ["CREATE TABLE good (id int)"])


@pytest_asyncio.fixture
async def url(servers: TestServers) -> AsyncIterator[str]:
    """An empty database that the owner owns."""
    name = f"migrating_{new_id().hex}"
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    yield servers.url(name, OWNER)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


def declare(monkeypatch: pytest.MonkeyPatch, *migrations: Migration) -> None:
    monkeypatch.setattr(migrating, "migrations_of", lambda _tier: list(migrations))


def second(*statements: Statement) -> Migration:
    return sql_migration("olap", "olap_0002_second", "more", statements)


async def names(url: str) -> Sequence[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    await connection.close()
    return [row["tablename"] for row in rows]


async def test_a_failing_migration_names_its_statement_and_leaves_nothing_of_its_tier(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, GOOD, second("CREATE TABLE half (id int)", "SELECT nothing FROM nowhere"))

    with pytest.raises(MigrationFailed, match=r"olap_0002_second: .* in: SELECT nothing FROM nowhere"):
        await migrate({"olap": url})

    assert await names(url) == []
    assert await pending(url, "olap") == ["olap_0001_good", "olap_0002_second"]


async def test_a_tier_goes_on_where_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, GOOD)
    assert await migrate({"olap": url}) == {"olap": ["olap_0001_good"]}
    declare(monkeypatch, GOOD, second("ALTER TABLE good ADD COLUMN more int"))

    assert await pending(url, "olap") == ["olap_0002_second"]
    assert await migrate({"olap": url}) == {"olap": ["olap_0002_second"]}
    assert await migrate({"olap": url}) == {"olap": []}


async def test_of_two_runners_at_once_the_second_finds_nothing_to_do(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, GOOD, second("SELECT pg_sleep(0.2)"))

    ran = await asyncio.gather(*(migrate({"olap": url}) for _ in range(2)))

    assert sorted(each["olap"] for each in ran) == [[], ["olap_0001_good", "olap_0002_second"]]


async def test_nile_gets_no_statement_that_is_marked_plain(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, GOOD, second(Plain("CREATE ROLE nobody_can_make_this"), "CREATE TABLE also (id int)"))

    assert await migrate({"olap": url}, nile=True) == {"olap": ["olap_0001_good", "olap_0002_second"]}

    assert await names(url) == ["also", "good", "migration"]
