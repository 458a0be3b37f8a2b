"""What `doctor` asks the servers: whether they answer, who we are there, whether the walls stand, whether all fits."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.commands.finding import Finding, note, ok, wrong
from app.core.settings import Settings
from db.core.migrating import pending
from db.tables.shared import SHARED_TABLES

OLDEST_POSTGRES: Final = 140_000
CONNECT_SECONDS: Final = 5.0
PROBLEMS: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
ROLE: Final = "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
# Every table that this role can see, with whether its wall stands for everybody, its owner included.
WALLS: Final = """
SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS stands, pg_get_userbyid(c.relowner) AS owner
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections a server has for ordinary roles."""

    address: str
    connections: int


def address_of(url: str) -> str:
    """host:port, without the secrets that a URL carries."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}"


async def check_tier(tier: str, url: str, *, owner_url: str | None, is_nile: bool) -> AsyncIterator[Finding | Room]:
    """The tier as the app role sees it; ends with the server's Room when it could be asked."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except PROBLEMS as error:
        yield wrong(f"{tier}: PostgreSQL at {address_of(url)} cannot be reached: {error or type(error).__name__}.")
        return
    try:
        yield ok(f"{tier}: PostgreSQL {await connection.fetchval('SHOW server_version')} at {address_of(url)} answers.")
        number = int(await connection.fetchval("SHOW server_version_num"))
        if number < OLDEST_POSTGRES:
            yield wrong(f"{tier}: PostgreSQL 14 or newer is needed.")
        if not is_nile:
            async for finding in _check_role_and_walls(tier, connection):
                yield finding
        reserved = int(await connection.fetchval("SHOW superuser_reserved_connections"))
        yield Room(address_of(url), int(await connection.fetchval("SHOW max_connections")) - reserved)
    except PROBLEMS as error:
        yield wrong(f"{tier}: a question to the server failed: {error}.")
    finally:
        await connection.close(timeout=CONNECT_SECONDS)
    yield await _check_migrations(tier, owner_url or url)


async def _check_role_and_walls(tier: str, connection: Any) -> AsyncIterator[Finding]:
    (role,) = await connection.fetch(ROLE)
    if role["rolsuper"] or role["rolbypassrls"]:
        yield wrong(f"{tier}: the role {role['rolname']} passes every wall between tenants; use penguinmails_app.")
    tables = await connection.fetch(WALLS)
    owned = [row["name"] for row in tables if row["owner"] == role["rolname"]]
    if owned:
        yield wrong(f"{tier}: {role['rolname']} owns {', '.join(owned)}; only penguinmails_owner should.")
    open_tables = [row["name"] for row in tables if not row["stands"] and row["name"] not in SHARED_TABLES[tier]]
    if open_tables:
        yield wrong(f"{tier}: row-level security is not in force on {', '.join(open_tables)}.")
    elif tables:
        yield ok(
            f"{tier}: row-level security is in force on all {len(tables) - len(SHARED_TABLES[tier])} tenant tables."
        )


async def _check_migrations(tier: str, url: str) -> Finding:
    try:
        missing = await pending(url, tier)
    except asyncpg.InsufficientPrivilegeError:
        return note(
            f"{tier}: whether migrations are missing can be told with PENGUINMAILS_{tier.upper()}_OWNER_URL only."
        )
    except PROBLEMS as error:
        return wrong(f"{tier}: the list of migrations cannot be read: {error}.")
    if missing:
        return wrong(f"{tier}: {len(missing)} migrations are missing ({missing[0]} ...): run `penguinmails migrate`.")
    return ok(f"{tier}: all migrations are there.")


async def check_system_role(settings: Settings) -> AsyncIterator[Finding]:
    """The relay's own role, which reads the loops' columns and nothing else."""
    if settings.system_url is None:
        yield note("PENGUINMAILS_SYSTEM_URL is not set: a relay cannot run with these settings.")
        return
    try:
        connection = await asyncpg.connect(settings.system_url, timeout=CONNECT_SECONDS)
    except PROBLEMS as error:
        yield wrong(f"relay: PostgreSQL cannot be reached by PENGUINMAILS_SYSTEM_URL: {error or type(error).__name__}.")
        return
    try:
        (role,) = await connection.fetch(ROLE)
        if role["rolsuper"] or role["rolbypassrls"]:
            yield wrong(
                f"relay: the role {role['rolname']} passes every wall between tenants; use penguinmails_system."
            )
        else:
            yield ok(f"relay: the role {role['rolname']} answers.")
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


async def check_redis(name: str, url: str) -> AsyncIterator[Finding]:
    client = Redis.from_url(url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS)
    parts = urlsplit(url)
    where = f"{name} at {parts.hostname}:{parts.port or 6379}"
    try:
        await client.ping()
        policy = (await client.config_get("maxmemory-policy")).get("maxmemory-policy")
    except ResponseError:
        yield note(f"{where} does not tell its maxmemory-policy: make sure that it is noeviction.")
    except (RedisError, OSError) as error:
        yield wrong(f"{where} cannot be reached: {error}.")
    else:
        if policy == "noeviction":
            yield ok(f"{where} answers and never evicts.")
        else:
            yield wrong(f"{where} has the policy {policy}, which drops queued jobs: set maxmemory-policy noeviction.")
    finally:
        await client.aclose()


def check_connections(settings: Settings, rooms: Mapping[str, int], processes: int) -> Iterator[Finding]:
    """Pools of all processes together against what each server allows (`rooms`: connections by address)."""
    wanted: dict[str, int] = {}
    pools = [
        (settings.oltp_url, settings.oltp_pool * processes),
        (settings.content_url, settings.content_pool * processes),
        (settings.olap_url, settings.olap_pool * processes),
    ]
    if settings.system_url is not None:
        pools.append((settings.system_url, settings.system_pool))
    for url, connections in pools:
        wanted[address_of(url)] = wanted.get(address_of(url), 0) + connections
    for address, connections in wanted.items():
        if address not in rooms:
            continue
        sentence = (
            f"{processes} processes may open {connections} connections to {address}, which allows {rooms[address]}"
        )
        if connections > rooms[address]:
            yield wrong(f"{sentence}: raise max_connections, or lower the PENGUINMAILS_*_POOL settings.")
        else:
            yield ok(f"{sentence}.")
