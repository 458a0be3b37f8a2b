"""Makes roles and databases on a real server, once, as an administrator; everything after needs only the owner."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from db.core.connection import Connection
from db.core.migration import APP, BACKUP, OWNER, SYSTEM

ROLES = (OWNER, APP, SYSTEM, BACKUP)
DATABASES = {"oltp": "penguinmails_oltp", "content": "penguinmails_content", "olap": "penguinmails_olap"}


def database_url(admin_url: str, database: str, *, role: str = "", password: str = "") -> str:
    """`admin_url` with another database and, when given, another role."""
    parts = urlsplit(admin_url)
    netloc = parts.netloc if not role else f"{role}:{password}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, netloc, "/" + database, parts.query, ""))


async def bootstrap(admin_url: str, passwords: Mapping[str, str], databases: Mapping[str, str] = DATABASES) -> None:
    """Creates or corrects the four roles and creates the tiers' databases that are missing. Safe to repeat.

    `passwords` maps role to password (URL-safe characters). On a server where BYPASSRLS cannot be granted, the backup
    role is left without it and `backup` runs as the owner instead.
    """
    connection = await asyncpg.connect(admin_url)
    try:
        for role in ROLES:
            await _make_role(connection, role, passwords[role])
        await connection.execute(f"GRANT {OWNER} TO CURRENT_USER")
        existing = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for name in databases.values():
            if name not in existing:
                await connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER}')
    finally:
        await connection.close()
    for name in databases.values():
        await _close_public(database_url(admin_url, name))
        await _open_to_backup(database_url(admin_url, name))


async def _make_role(connection: Connection, role: str, password: str) -> None:
    if not password.isascii() or not password.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"the password of {role} may hold ASCII letters, digits, - and _ only")
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await connection.execute(
        f"{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD '{password}'"
    )
    if role == BACKUP:
        await connection.execute(f"ALTER ROLE {role} BYPASSRLS INHERIT")
        # It would read pg_authid too: the password hashes of every role of the server.
        if await connection.fetchval("SELECT pg_has_role($1, 'pg_read_all_data', 'MEMBER')", role):
            await connection.execute(f"REVOKE pg_read_all_data FROM {role}")


async def _close_public(url: str) -> None:
    """Nobody but our roles connects; only the owner creates."""
    connection = await asyncpg.connect(url)
    try:
        database = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
        await connection.execute(
            f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO {OWNER}, {APP}, {SYSTEM}, {BACKUP}'
        )
        await connection.execute(f"ALTER SCHEMA public OWNER TO {OWNER}")
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    finally:
        await connection.close()


async def _open_to_backup(url: str) -> None:
    """The backup role reads every table of the owner, those that later migrations and a restore make too."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {BACKUP}")
        for kind in ("TABLES", "SEQUENCES"):
            await connection.execute(f"GRANT SELECT ON ALL {kind} IN SCHEMA public TO {BACKUP}")
            await connection.execute(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT ON {kind} TO {BACKUP}"
            )
    finally:
        await connection.close()
