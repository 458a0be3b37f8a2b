"""The only way to PostgreSQL: short transactions that name their tenant in their first statement and never nest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from db.core.tiers import CONTENT, OLAP, OLTP, SYSTEM, PoolNotStarted, TierEngine

_log = structlog.get_logger(__name__)

Hook = Callable[[], Awaitable[None]]
Opening = AbstractAsyncContextManager["Transaction"]


class NoTransaction(RuntimeError):
    """A query ran outside a transaction: the use case forgot to open one."""


class NestedTransaction(RuntimeError):
    """A transaction was opened while this task had one open, on whichever tier."""


class NoTenant(RuntimeError):
    """A query wanted the tenant of a transaction that has none (shared or system)."""


class ConcurrentUse(RuntimeError):
    """Two statements at once on one transaction: a gather inside it."""


class CommitRefused(RuntimeError):
    """COMMIT answered ROLLBACK: an error inside the transaction had been swallowed."""


class Transaction:
    """The open transaction of the running task. Statements run one after another on its one connection."""

    __slots__ = ("_after", "_before", "_busy", "_tenant_id", "connection", "tier")

    def __init__(self, connection: Any, tier: TierEngine, tenant_id: UUID | None) -> None:
        self.connection = connection
        self.tier = tier
        self._tenant_id = tenant_id
        self._busy = False
        self._before: list[Hook] = []
        self._after: list[Hook] = []

    @property
    def tenant_id(self) -> UUID:
        if self._tenant_id is None:
            raise NoTenant("this transaction has no tenant: open tenant_transaction(tenant_id)")
        return self._tenant_id

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        return await self._alone(self.connection.fetch, sql, *args)  # type: ignore[no-any-return]

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        return await self._alone(self.connection.fetchrow, sql, *args)  # type: ignore[no-any-return]

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._alone(self.connection.fetchval, sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Returns PostgreSQL's command tag, such as `UPDATE 1`."""
        return str(await self._alone(self.connection.execute, sql, *args))

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await self._alone(self.connection.executemany, sql, rows)

    async def copy_records(self, table: str, records: Iterable[Sequence[object]], columns: Sequence[str]) -> None:
        """COPY into a temporary table of this transaction; PostgreSQL refuses COPY FROM on tables with RLS."""
        await self._alone(self.connection.copy_records_to_table, table, records=records, columns=list(columns))

    def before_commit(self, hook: Hook) -> None:
        """Runs inside the transaction, after the block and before COMMIT, in the order of registration."""
        self._before.append(hook)

    def after_commit(self, hook: Hook) -> None:
        """Runs after COMMIT, outside the transaction. Must not raise: the data is already safe."""
        self._after.append(hook)

    async def _alone(self, call: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        if self._busy:
            raise ConcurrentUse("another statement of this transaction is running: no gather inside a transaction")
        self._busy = True
        try:
            return await call(*args, **named)
        finally:
            self._busy = False


_current: ContextVar[Transaction | None] = ContextVar("penguinmails_transaction", default=None)


def current() -> Transaction:
    """The transaction that this task has open. Raises NoTransaction."""
    transaction = _current.get()
    if transaction is None:
        raise NoTransaction("a query ran outside a transaction")
    return transaction


def in_transaction() -> bool:
    """Whether this task has a transaction open: network calls check that it has none."""
    return _current.get() is not None


def _begin(tenant_id: UUID | None, read_only: bool) -> str:
    begin = "BEGIN READ ONLY" if read_only else "BEGIN"
    if tenant_id is None:
        return begin
    if not isinstance(tenant_id, UUID):
        raise TypeError("a tenant is named by a uuid.UUID only: SET takes no bind parameter")
    return f"{begin}; SET LOCAL nile.tenant_id = '{UUID(int=tenant_id.int)}'"


@asynccontextmanager
async def _transaction(engine: TierEngine, tenant_id: UUID | None, read_only: bool) -> AsyncIterator[Transaction]:
    if _current.get() is not None:
        raise NestedTransaction("transactions never nest, not even across tiers")
    if engine.pool is None:
        raise PoolNotStarted(f"the {engine.tier} pool is not open")
    begin = _begin(tenant_id, read_only)
    connection = await engine.pool.acquire()
    try:
        transaction = Transaction(connection, engine, tenant_id)
        token = _current.set(transaction)
        piccolo_token = engine.current_transaction.set(transaction)  # type: ignore[arg-type]  # it reads .connection only
        try:
            await _execute_begin(engine, connection, begin)
            yield transaction
            await _commit(transaction)
        except BaseException:
            await _roll_back(connection)
            raise
        finally:
            engine.current_transaction.reset(piccolo_token)
            _current.reset(token)
    finally:
        await engine.pool.release(connection)
    for hook in transaction._after:
        await hook()


async def _execute_begin(engine: TierEngine, connection: Any, begin: str) -> None:
    """Throws the connection away when it fails: it is stale, or nobody here knows whether the server has begun.

    A server that went away took every idle connection with it: the pool replaces them before they are used again.
    """
    try:
        await connection.execute(begin)
    except BaseException as error:
        _throw_away(connection)
        if not isinstance(error, asyncio.CancelledError) and engine.pool is not None:
            await engine.pool.expire_connections()
        raise


def _throw_away(connection: Any) -> None:
    try:
        connection.terminate()
    except asyncpg.InterfaceError as error:  # the pool has taken it back already, since it was lost
        _log.debug("connection_gone", error=str(error))


async def _commit(transaction: Transaction) -> None:
    for hook in transaction._before:
        await hook()
    status = await transaction.connection.execute("COMMIT")
    if status != "COMMIT":
        raise CommitRefused("an error inside the transaction was swallowed, so PostgreSQL rolled it back")


async def _roll_back(connection: Any) -> None:
    """Leaves the connection clean; a connection that is lost or cancelled in mid-statement is thrown away by the pool."""
    try:
        if not connection.is_closed() and connection.is_in_transaction():
            await connection.execute("ROLLBACK")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        _throw_away(connection)


def tenant_transaction(tenant_id: UUID, *, tier: TierEngine = OLTP, read_only: bool = False) -> Opening:
    """`async with tenant_transaction(tenant_id) as tx`: BEGIN and the tenant in one round trip, then COMMIT.

    Rolls back when the block raises. Raises NestedTransaction, CommitRefused, PoolNotStarted.
    """
    if not isinstance(tenant_id, UUID):
        raise TypeError("a tenant is named by a uuid.UUID only")
    return _transaction(tier, tenant_id, read_only)


def shared_transaction(*, tier: TierEngine = OLTP, read_only: bool = False) -> Opening:
    """A transaction over shared tables (users, tokens). Sets no tenant: walled tables show zero rows in it."""
    return _transaction(tier, None, read_only)


def system_transaction() -> Opening:
    """The relay's transaction, as penguinmails_system: it may move jobs and number events, and read no payload of jobs."""
    return _transaction(SYSTEM, None, False)


def content_transaction(tenant_id: UUID, *, read_only: bool = False) -> Opening:
    """tenant_transaction on the Content tier."""
    return tenant_transaction(tenant_id, tier=CONTENT, read_only=read_only)


def olap_transaction(tenant_id: UUID, *, read_only: bool = False) -> Opening:
    """tenant_transaction on the OLAP tier."""
    return tenant_transaction(tenant_id, tier=OLAP, read_only=read_only)
