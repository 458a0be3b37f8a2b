"""Users, shared by all tenants: what sign-in needs, in shared transactions; read within tenant transactions too."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class User:
    """`auth_epoch` rises with every change of password; sessions of an earlier epoch are over, in every tenant.

    `tenant_hints` are tenants to ask for a membership; `known_networks` those of recent sign-ins, newest first.
    An address has one verified user at most and any number of unverified ones, told apart by `sign_up_number`: 1, 2, ...
    """

    id: UUID
    email: str
    email_key: str
    display_name: str
    password_hash: str
    auth_epoch: int
    email_verified_at: datetime | None
    tenant_hints: list[UUID]
    last_tenant: UUID | None
    known_networks: list[str]
    created_at: datetime
    updated_at: datetime
    sign_up_number: int = 1


class AddressVerified(Exception):
    """Another user of the address is the verified one. The open transaction is lost with it."""


@contextmanager
def _one_verified() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise AddressVerified from error


async def insert_user(user: User) -> bool:
    """False when the number is taken, or `user` is verified and the address has a verified one; nothing is changed then.

    Of two at once the second waits for the first to commit.
    """
    status = await current().execute(
        f"INSERT INTO users ({columns(User)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
        "ON CONFLICT DO NOTHING",
        *(getattr(user, name) for name in User.__slots__),
    )
    return status == "INSERT 0 1"


async def users_by_key(email_key: str) -> list[User]:
    """The address's verified user, if there is one, then its newest unverified one, if there is one."""
    return await all_rows(
        User,
        f"(SELECT {columns(User)} FROM users WHERE email_key = $1 AND email_verified_at IS NOT NULL) UNION ALL "
        f"(SELECT {columns(User)} FROM users WHERE email_key = $1 AND email_verified_at IS NULL "
        "ORDER BY sign_up_number DESC LIMIT 1) ORDER BY email_verified_at NULLS LAST",
        email_key,
    )


async def user_by_key(email_key: str) -> User | None:
    """The verified user, else the newest unverified one."""
    return next(iter(await users_by_key(email_key)), None)


async def user_by_id(user_id: UUID) -> User | None:
    return await one_row(User, f"SELECT {columns(User)} FROM users WHERE id = $1", user_id)


async def lock_user(user_id: UUID) -> User | None:
    return await one_row(User, f"SELECT {columns(User)} FROM users WHERE id = $1 FOR UPDATE", user_id)


async def add_tenant_hint(user_id: UUID, tenant_id: UUID, *, at: datetime) -> None:
    """Idempotent."""
    await current().execute(
        "UPDATE users SET tenant_hints = array_append(tenant_hints, $2), updated_at = $3 "
        "WHERE id = $1 AND NOT ($2 = ANY (tenant_hints))",
        user_id,
        tenant_id,
        at,
    )


async def remove_tenant_hint(user_id: UUID, tenant_id: UUID, *, at: datetime) -> None:
    """Keeps the last one: through it mail still finds a tenant to be queued in."""
    await current().execute(
        "UPDATE users SET tenant_hints = array_remove(tenant_hints, $2), "
        "last_tenant = NULLIF(last_tenant, $2), updated_at = $3 WHERE id = $1 AND cardinality(tenant_hints) > 1",
        user_id,
        tenant_id,
        at,
    )


async def remember_sign_in(
    user: User, tenant_id: UUID, networks: list[str], *, password_hash: str, at: datetime
) -> None:
    """Notes tenant, networks and the password's hash, which is new where parameters changed.

    Does nothing when the password was changed since `user` was read.
    """
    await current().execute(
        "UPDATE users SET last_tenant = $3, known_networks = $4, password_hash = $5, updated_at = $6 "
        "WHERE id = $1 AND auth_epoch = $2",
        user.id,
        user.auth_epoch,
        tenant_id,
        networks,
        password_hash,
        at,
    )


async def set_last_tenant(user_id: UUID, tenant_id: UUID, *, at: datetime) -> None:
    await current().execute("UPDATE users SET last_tenant = $2, updated_at = $3 WHERE id = $1", user_id, tenant_id, at)


async def set_password(user_id: UUID, password_hash: str, *, networks: list[str], verified: bool, at: datetime) -> int:
    """Ends every session by raising the epoch, which is returned. `verified`: the mailbox was proved by the same act.

    Raises AddressVerified.
    """
    with _one_verified():
        epoch = await current().fetchval(
            "UPDATE users SET password_hash = $2, auth_epoch = auth_epoch + 1, known_networks = $3, "
            "email_verified_at = CASE WHEN $4 THEN COALESCE(email_verified_at, $5) ELSE email_verified_at END, "
            "updated_at = $5 WHERE id = $1 RETURNING auth_epoch",
            user_id,
            password_hash,
            networks,
            verified,
            at,
        )
    return int(epoch)


async def mark_verified(user_id: UUID, *, at: datetime) -> None:
    """Keeps the first moment. Raises AddressVerified; of two users at once the index lets the first commit win."""
    with _one_verified():
        await current().execute(
            "UPDATE users SET email_verified_at = COALESCE(email_verified_at, $2), updated_at = $2 WHERE id = $1",
            user_id,
            at,
        )
