"""PostgreSQL stopped at once and started again, Redis killed and started again, and a relay killed, all while jobs run.

The servers are this test's own; relay and workers are processes, as in production.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.core.ids import new_id
from app.core.settings import Settings
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from db.core.bootstrap import DATABASES, ROLES, bootstrap
from db.core.migrating import migrate
from db.core.migration import OWNER
from tests.actors.core.stage import start_worker, until, worker
from tests.conftest import make_settings
from tests.servers import TestServers

pytestmark = pytest.mark.full

INSERT = """
INSERT INTO jobs (tenant_id, id, queue, priority, kind, payload, state, due_at, fence, attempt, max_attempts,
                  timeout_seconds, request_id, created_at)
SELECT $1, id, 'chaos', 2, 'chaos.mark', jsonb_build_object('number', number, 'seconds', 0.01), 'queued', now(), 0, 0, 5, 60, 'x', now()
FROM unnest($2::uuid[]) WITH ORDINALITY AS new (id, number)
"""


@dataclass
class Place:
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    settings: Settings
    owner_url: str

    async def ask(self, sql: str, *args: Any) -> Any:
        connection = await asyncpg.connect(self.owner_url, timeout=5)
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()

    async def put(self, tenant_id: UUID, count: int) -> None:
        connection = await asyncpg.connect(self.owner_url)
        await connection.execute(INSERT, tenant_id, [new_id() for _ in range(count)])
        await connection.close()

    async def reached(self, tenant_id: UUID, marks: int) -> None:
        async def enough() -> bool:
            return bool(await self.ask("SELECT count(*) FROM audit_log WHERE tenant_id = $1", tenant_id) >= marks)

        await until(enough, seconds=90)

    async def completed(self, tenant_id: UUID, count: int) -> None:
        sql = "SELECT count(*) FROM jobs WHERE tenant_id = $1 AND state = 'completed'"

        async def all_of_them() -> bool:
            return bool(await self.ask(sql, tenant_id) == count)

        await until(all_of_them, seconds=120)


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    postgres = EmbeddedPostgres(folder / "postgres", fast=False)
    redis = EmbeddedRedis(folder / "redis", fast=False)
    await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(redis.start)
    try:
        servers = TestServers(postgres.superuser_url, redis.url, {role: new_id().hex for role in ROLES})
        await bootstrap(servers.admin_url, servers.passwords)
        await migrate({tier: servers.url(database, OWNER) for tier, database in DATABASES.items()})
        settings = make_settings(
            servers, DATABASES, redis_database=0, worker_threads=8, job_lease_seconds=3.0, drain_seconds=2.0
        )
        yield Place(postgres, redis, settings, servers.url(DATABASES["oltp"], OWNER))
    finally:
        await asyncio.to_thread(redis.stop)
        await asyncio.to_thread(postgres.stop)


async def test_servers_and_relay_come_and_go_and_every_job_has_its_effect_once(data_folder: Path) -> None:
    tenant, count = new_id(), 3000
    async with place(data_folder) as here:
        await here.put(tenant, count)
        first_relay = await start_worker(here.settings, "relay")
        async with worker(here.settings), worker(here.settings):
            await here.reached(tenant, 300)
            await asyncio.to_thread(_restart_postgres_at_once, here.postgres)
            await here.reached(tenant, 900)
            os.kill(here.redis.pid, signal.SIGKILL)
            await asyncio.to_thread(_start_again, here.redis)
            await here.reached(tenant, 1500)
            first_relay.kill()  # its lease is still running: the next one has to wait for it
            await first_relay.wait()
            async with worker(here.settings, "relay"):
                await here.completed(tenant, count)

        marks = await here.ask("SELECT count(*) FROM audit_log WHERE tenant_id = $1", tenant)
        numbers = await here.ask("SELECT count(DISTINCT object_id) FROM audit_log WHERE tenant_id = $1", tenant)

    assert (marks, numbers) == (count, count)


def _restart_postgres_at_once(postgres: EmbeddedPostgres) -> None:
    """As `pg_ctl stop -m immediate`: no goodbye, recovery from the log at the next start."""
    pid = int((postgres.home / "cluster" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    _start_again(postgres)


def _start_again(server: EmbeddedPostgres | EmbeddedRedis) -> None:
    while server.poll() is None:
        time.sleep(0.02)
    server.stop()
    server.start()
