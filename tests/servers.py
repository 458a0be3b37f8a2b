"""One PostgreSQL and one Redis for a whole test run; every worker process gets databases of its own from a template."""

import asyncio
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from db.core.bootstrap import DATABASES, ROLES, bootstrap, database_url
from db.core.migrating import migrate
from db.core.migration import OWNER

VARIABLE = "PENGUINMAILS_TEST_SERVERS"


@dataclass(frozen=True)
class TestServers:
    """Where the run's servers are; handed to worker processes through the environment."""

    __test__ = False

    admin_url: str
    redis_url: str
    passwords: dict[str, str]

    def url(self, database: str, role: str) -> str:
        return database_url(self.admin_url, database, role=role, password=self.passwords[role])

    def redis_database(self, number: int) -> str:
        return urlunsplit(urlsplit(self.redis_url)._replace(path=f"/{number}"))

    @classmethod
    def from_environment(cls) -> "TestServers":
        return cls(**json.loads(os.environ[VARIABLE]))


class ServersOfRun:
    """Started by the process that was asked to test, before its workers; stopped after them.

    `fast` keeps nothing on disk for certain: right for tests, wrong for measurements.
    """

    def __init__(self, *, fast: bool = True) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="penguinmails-tests-"))
        self._folder.chmod(0o755)
        self._postgres = EmbeddedPostgres(self._folder / "postgres", fast=fast, port=None)
        self._redis = EmbeddedRedis(self._folder / "redis", port=None, fast=fast)

    def start(self) -> None:
        self._postgres.start()
        self._redis.start()
        servers = TestServers(
            self._postgres.superuser_url, self._redis.url, {role: secrets.token_hex(16) for role in ROLES}
        )
        asyncio.run(_make_template(servers))
        os.environ[VARIABLE] = json.dumps(servers.__dict__)

    def stop(self) -> None:
        self._redis.stop()
        self._postgres.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


async def _make_template(servers: TestServers) -> None:
    await bootstrap(servers.admin_url, servers.passwords)
    await migrate({tier: servers.url(database, OWNER) for tier, database in DATABASES.items()})


async def make_databases(servers: TestServers, name: str) -> dict[str, str]:
    """Copies of the migrated tiers, named after the worker. Returns database names by tier."""
    made = {tier: f"{name}_{tier}" for tier in DATABASES}
    connection = await asyncpg.connect(servers.admin_url)
    try:
        for tier, database in made.items():
            await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            await connection.execute(
                f'CREATE DATABASE "{database}" TEMPLATE "{DATABASES[tier]}" STRATEGY FILE_COPY OWNER {OWNER}'
            )
            await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
            await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO {", ".join(ROLES)}')
    finally:
        await connection.close()
    return made
