"""The three data tiers, each an engine of its own: made here without a URL, configured by wiring.

This is the one exception to "no module-level state": Piccolo's table classes name their engine when they are declared.
"""

from typing import Any

import asyncpg
import orjson
from piccolo.engine.postgres import PostgresEngine

from db.core.connection import Connection


class PooledConnection(Connection):
    """A connection that is given back without a reset: nothing session-scoped is ever set, only SET LOCAL."""

    def get_reset_query(self) -> str:
        return ""


class PoolNotStarted(RuntimeError):
    """A statement outside a tenant, shared or system transaction, or before the pools were started."""


def _encode_jsonb(value: object) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _decode_jsonb(data: bytes) -> Any:
    return orjson.loads(data[1:])


async def _prepare_connection(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=_encode_jsonb, decoder=_decode_jsonb, schema="pg_catalog", format="binary"
    )


class TierEngine(PostgresEngine):
    """One tier's pool. Piccolo queries run only inside our transactions, so that none escapes its tenant."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        super().__init__(config={"database": tier})

    async def check_version(self) -> None:
        """Piccolo's own check connects while a module is being imported; `doctor` checks the version instead."""

    async def prep_database(self) -> None:
        """Piccolo's own tries CREATE EXTENSION, which the serving role may not do and the schema does not need."""

    async def open(self, dsn: str, *, max_size: int, min_size: int = 0, statement_cache: bool = True) -> None:
        """Starts the pool. `statement_cache=False` for a transaction-pooling proxy that cannot keep prepared statements."""
        self.config = {"dsn": dsn}
        self.pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_prepare_connection,
            connection_class=PooledConnection,
            statement_cache_size=1024 if statement_cache else 0,
            max_inactive_connection_lifetime=300,
            timeout=10,
            command_timeout=60,
        )

    async def close(self) -> None:
        """Closes the pool; does nothing when it is not open."""
        if self.pool is not None:
            await self.pool.close()
            self.pool = None

    async def _run_in_pool(self, query: str, args: Any = None) -> Any:
        raise self._closed()

    async def _run_in_new_connection(self, query: str, args: Any = None) -> Any:
        raise self._closed()

    async def get_new_connection(self) -> Any:
        """Piccolo's `.batch()` would read through it: beside the open transaction, and without its tenant."""
        raise self._closed()

    def transaction(self, allow_nested: bool = True) -> Any:
        """Piccolo's own joins an open transaction silently, whichever tenant that has."""
        raise self._closed()

    def atomic(self) -> Any:
        raise self._closed()

    def _closed(self) -> PoolNotStarted:
        return PoolNotStarted(f"a {self.tier} query outside a transaction: open one by db.core.transaction")


OLTP = TierEngine("oltp")
CONTENT = TierEngine("content")
OLAP = TierEngine("olap")
SYSTEM = TierEngine("system")  # the OLTP tier as penguinmails_system: the relay alone opens it

TIERS = {engine.tier: engine for engine in (OLTP, CONTENT, OLAP)}
