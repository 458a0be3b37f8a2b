"""Runs migrations: per tier one transaction with lock, DDL and bookkeeping, so that a failing file leaves nothing behind."""

import importlib
import pkgutil
from collections.abc import Mapping

import asyncpg
import structlog

import migrations
from db.core.connection import Connection
from db.core.migration import Migration, Plain

_log = structlog.get_logger(__name__)

LOCK_KEY = 7226
LOCK_TIMEOUT = "10s"
TIER_ORDER = ("oltp", "content", "olap")

# The shape of Piccolo's own bookkeeping table, so that its tools read it.
_BOOKKEEPING = """
CREATE TABLE IF NOT EXISTS migration (
  id serial PRIMARY KEY,
  name varchar(200) NOT NULL,
  app_name varchar(200) NOT NULL,
  ran_on timestamp NOT NULL DEFAULT current_timestamp
)
"""


class MigrationFailed(RuntimeError):
    """A statement of a migration failed; its whole tier was rolled back."""


def migrations_of(tier: str) -> list[Migration]:
    """The tier's migrations in order. Raises ValueError when a file's name, id and tier disagree."""
    package = importlib.import_module(f"{migrations.__name__}.{tier}")
    found: list[Migration] = []
    for module in pkgutil.iter_modules(package.__path__):
        migration: Migration = importlib.import_module(f"{package.__name__}.{module.name}").MIGRATION
        if (migration.id, migration.tier) != (module.name, tier):
            raise ValueError(f"migrations/{tier}/{module.name}.py declares {migration.tier}/{migration.id}")
        found.append(migration)
    return sorted(found, key=lambda each: each.id)


async def pending(url: str, tier: str) -> list[str]:
    """Ids of the tier's migrations that the database at `url` does not have yet."""
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('migration')") is None:
            return [each.id for each in migrations_of(tier)]
        done = await _done(connection, tier)
    finally:
        await connection.close()
    return [each.id for each in migrations_of(tier) if each.id not in done]


async def migrate(urls: Mapping[str, str], *, nile: bool = False) -> dict[str, list[str]]:
    """Brings the tiers of `urls` (tier to URL) up to date, as their owner. Returns the ids that ran, by tier.

    Two runners at once are safe: the second waits for the first one's lock, then finds nothing to do.
    """
    return {tier: await _migrate_tier(urls[tier], tier, nile) for tier in TIER_ORDER if tier in urls}


async def _migrate_tier(url: str, tier: str, nile: bool) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        if nile:
            return await _run_pending(connection, tier, nile)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
            return await _run_pending(connection, tier, nile)
    finally:
        await connection.close()


async def _run_pending(connection: Connection, tier: str, nile: bool) -> list[str]:
    await connection.execute(_BOOKKEEPING)
    done = await _done(connection, tier)
    ran: list[str] = []
    for migration in migrations_of(tier):
        if migration.id in done:
            continue
        await _run_one(connection, migration, nile)
        await connection.execute("INSERT INTO migration (name, app_name) VALUES ($1, $2)", migration.id, tier)
        ran.append(migration.id)
        _log.info("migrated", tier=tier, migration=migration.id)
    return ran


async def _run_one(connection: Connection, migration: Migration, nile: bool) -> None:
    for statement in migration.statements:
        if nile and isinstance(statement, Plain):
            continue
        sql = statement.sql if isinstance(statement, Plain) else statement
        try:
            await connection.execute(sql)
        except asyncpg.PostgresError as error:
            raise MigrationFailed(f"{migration.id}: {error} in: {' '.join(sql.split())[:300]}") from error


async def _done(connection: Connection, tier: str) -> set[str]:
    return {row["name"] for row in await connection.fetch("SELECT name FROM migration WHERE app_name = $1", tier)}
