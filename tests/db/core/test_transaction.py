"""Transactions keep to their tenant, never nest, and say so when something inside was swallowed."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from app.core.ids import new_id
from app.core.resources import Resources
from db.core.tiers import OLTP, PoolNotStarted, TierEngine
from db.core.transaction import (
    CommitRefused,
    ConcurrentUse,
    NestedTransaction,
    NoTenant,
    NoTransaction,
    content_transaction,
    current,
    shared_transaction,
    tenant_transaction,
)
from db.tables.platform import AuditEntry
from tests.servers import TestServers

pytestmark = pytest.mark.usefixtures("resources")

INSERT = (
    "INSERT INTO audit_log (tenant_id, id, action, actor, object_type, details, address, request_id, created_at) "
    "VALUES ($1, $2, 'test.write', 'job', 'Test', '{}', '', '', '2026-01-01T00:00:00Z')"
)


async def write(tenant_id: UUID) -> UUID:
    entry = new_id()
    async with tenant_transaction(tenant_id) as tx:
        await tx.execute(INSERT, tenant_id, entry)
    return entry


async def entries(tenant_id: UUID) -> list[UUID]:
    async with tenant_transaction(tenant_id, read_only=True) as tx:
        return [row["id"] for row in await tx.fetch("SELECT id FROM audit_log")]


async def test_a_tenant_sees_its_own_rows_only() -> None:
    mine, other = new_id(), new_id()

    entry = await write(mine)
    await write(other)

    assert await entries(mine) == [entry]


async def test_a_transaction_without_a_tenant_sees_no_walled_row() -> None:
    await write(new_id())

    async with shared_transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM audit_log") == 0
        with pytest.raises(NoTenant):
            _ = tx.tenant_id


async def test_a_row_of_another_tenant_cannot_be_written() -> None:
    mine, other = new_id(), new_id()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant_transaction(mine) as tx:
            await tx.execute(INSERT, other, new_id())

    assert await entries(other) == []


async def test_an_error_in_the_block_rolls_everything_back() -> None:
    tenant = new_id()

    with pytest.raises(ValueError, match="stop"):
        async with tenant_transaction(tenant) as tx:
            await tx.execute(INSERT, tenant, new_id())
            raise ValueError("stop")

    assert await entries(tenant) == []


async def test_a_swallowed_statement_error_is_told_at_commit() -> None:
    tenant = new_id()

    with pytest.raises(CommitRefused):
        async with tenant_transaction(tenant) as tx:
            await tx.execute(INSERT, tenant, new_id())
            with pytest.raises(asyncpg.PostgresError):
                await tx.execute("SELECT 1 / 0")

    assert await entries(tenant) == []


async def test_transactions_never_nest_not_even_across_tiers() -> None:
    tenant = new_id()

    async with tenant_transaction(tenant):
        with pytest.raises(NestedTransaction):
            async with tenant_transaction(tenant):
                pass
        with pytest.raises(NestedTransaction):
            async with content_transaction(tenant):
                pass


async def test_a_gather_inside_a_transaction_is_refused() -> None:
    async with tenant_transaction(new_id()) as tx:
        results = await asyncio.gather(tx.fetchval("SELECT 1"), tx.fetchval("SELECT 2"), return_exceptions=True)

    assert results[0] == 1
    assert isinstance(results[1], ConcurrentUse)


async def test_a_query_outside_a_transaction_raises() -> None:
    with pytest.raises(NoTransaction):
        current()
    with pytest.raises(PoolNotStarted):
        await OLTP._run_in_pool("SELECT 1")


async def test_a_tenant_is_named_by_a_uuid_only() -> None:
    with pytest.raises(TypeError):
        tenant_transaction("'; DROP TABLE jobs; --")  # type: ignore[arg-type]


async def test_a_tenant_transaction_is_three_round_trips_and_names_its_tenant_first(resources: Resources) -> None:
    seen: list[str] = []
    tenant = new_id()
    engine = TierEngine("probe")
    await engine.open(resources.settings.oltp_url, max_size=1)
    async with tenant_transaction(new_id(), tier=engine) as tx:
        tx.connection.add_query_logger(lambda record: seen.append(record.query))

    async with tenant_transaction(tenant, tier=engine) as tx:
        await tx.fetchval("SELECT 1")
    await engine.close()

    assert seen == ["COMMIT", f"BEGIN; SET LOCAL nile.tenant_id = '{tenant}'", "SELECT 1", "COMMIT"]


async def test_the_tenant_is_gone_from_the_connection_after_the_transaction() -> None:
    tenant = new_id()

    for _ in range(OLTP.pool.get_max_size() if OLTP.pool else 0):
        async with tenant_transaction(tenant) as tx:
            await tx.fetchval("SELECT 1")
        async with shared_transaction() as tx:
            assert await tx.fetchval("SELECT NULLIF(current_setting('nile.tenant_id', true), '')") is None


async def test_hooks_run_before_and_after_the_commit_and_not_after_a_rollback() -> None:
    order: list[str] = []
    tenant = new_id()

    async def before() -> None:
        order.append(f"before, {len(await tx.fetch('SELECT id FROM audit_log'))} row")

    async def after() -> None:
        order.append(f"after, {len(await entries(tenant))} row")

    async with tenant_transaction(tenant) as tx:
        tx.before_commit(before)
        tx.after_commit(after)
        await tx.execute(INSERT, tenant, new_id())
    with pytest.raises(ValueError, match="stop"):
        async with tenant_transaction(tenant) as other:
            other.after_commit(after)
            raise ValueError("stop")

    assert order == ["before, 1 row", "after, 1 row"]


async def test_a_cancelled_transaction_leaves_a_clean_connection(resources: Resources) -> None:
    tenant = new_id()

    async def slow() -> None:
        async with tenant_transaction(tenant) as tx:
            await tx.execute(INSERT, tenant, new_id())
            await tx.execute("SELECT pg_sleep(30)")

    tasks = [asyncio.create_task(slow()) for _ in range(resources.settings.oltp_pool)]
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert await entries(tenant) == []


async def test_many_tenants_at_once_with_errors_and_cancellations_leak_nothing() -> None:
    tenants = [new_id() for _ in range(20)]
    leaked: list[UUID] = []

    async def visit(number: int) -> None:
        tenant = tenants[number % len(tenants)]
        async with tenant_transaction(tenant) as tx:
            await tx.execute(INSERT, tenant, new_id())
            rows = await tx.fetch("SELECT tenant_id FROM audit_log")
            leaked.extend(row["tenant_id"] for row in rows if row["tenant_id"] != tenant)
            if number % 7 == 0:
                raise ValueError("stop")
            if number % 11 == 0:
                await tx.execute("SELECT 1 / 0")

    await asyncio.gather(*(visit(number) for number in range(600)), return_exceptions=True)

    assert leaked == []
    assert len(await entries(tenants[1])) > 0


async def test_piccolos_ways_around_our_transactions_are_closed() -> None:
    """`.batch()` reads through a connection of its own, without the tenant; `transaction()` joins an open one silently."""
    tenant = new_id()
    await write(tenant)

    async with tenant_transaction(tenant):
        with pytest.raises(PoolNotStarted):
            await OLTP.batch(AuditEntry.select())
        for way in (OLTP.transaction, OLTP.atomic):
            with pytest.raises(PoolNotStarted):
                way()


async def test_a_commit_that_fails_leaves_no_transaction_and_a_clean_connection() -> None:
    """A deferred constraint is looked at by COMMIT only."""
    assert OLTP.pool is not None

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with shared_transaction() as tx:
            await tx.execute(
                "CREATE TEMP TABLE links (id int PRIMARY KEY, other int REFERENCES links DEFERRABLE INITIALLY DEFERRED) "
                "ON COMMIT DROP"
            )
            await tx.execute("INSERT INTO links VALUES (1, 2)")

    with pytest.raises(NoTransaction):
        current()
    assert OLTP.pool.get_idle_size() == OLTP.pool.get_size()
    assert await entries(new_id()) == []


async def test_a_server_that_went_away_costs_one_transaction_and_is_told_by_its_own_error(
    resources: Resources, servers: TestServers
) -> None:
    engine = TierEngine("probe")
    await engine.open(resources.settings.oltp_url, max_size=3)
    started = asyncio.Barrier(3)

    async def look(wait: bool) -> object:
        async with tenant_transaction(new_id(), tier=engine) as tx:
            if wait:
                await started.wait()
            return await tx.fetchval("SELECT pg_backend_pid()")

    pids = await asyncio.gather(look(True), look(True), look(True))
    admin = await asyncpg.connect(servers.admin_url)
    await admin.fetch("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)
    await admin.close()
    await asyncio.sleep(0.2)

    answers = [await asyncio.gather(look(False), return_exceptions=True) for _ in range(4)]
    lost = [answer for (answer,) in answers if isinstance(answer, BaseException)]
    await engine.close()

    assert len(lost) <= 1
    assert all("released back" not in str(error) for error in lost)
    assert isinstance(answers[-1][0], int)


async def test_a_connection_lost_in_mid_statement_raises_what_was_lost(
    resources: Resources, servers: TestServers
) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    pids: asyncio.Queue[int] = asyncio.Queue()

    async def slow() -> None:
        async with tenant_transaction(new_id()) as tx:
            pids.put_nowait(await tx.fetchval("SELECT pg_backend_pid()"))
            await tx.fetchval("SELECT pg_sleep(30)")

    task = asyncio.create_task(slow())
    pid = await pids.get()
    await asyncio.sleep(0.1)
    await admin.execute("SELECT pg_terminate_backend($1)", pid)
    await admin.close()

    with pytest.raises((asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError, ConnectionError)):
        await task
    async with tenant_transaction(new_id()) as tx:
        assert await tx.fetchval("SELECT 1") == 1
