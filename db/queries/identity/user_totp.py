"""Users' second factors: TOTP secrets and recovery codes. Shared, like users."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import columns, insert_row, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class UserTotp:
    """Unconfirmed until the first code came. `last_step` is the time step of the code accepted last: none is, twice."""

    user_id: UUID
    sealed_secret: bytes
    confirmed_at: datetime | None
    last_step: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UserRecoveryCode:
    id: UUID
    user_id: UUID
    code_hash: bytes
    used_at: datetime | None


async def totp_of(user_id: UUID) -> UserTotp | None:
    return await one_row(UserTotp, f"SELECT {columns(UserTotp)} FROM user_totp WHERE user_id = $1", user_id)


async def has_confirmed_totp(user_id: UUID) -> bool:
    return bool(
        await current().fetchval(
            "SELECT EXISTS (SELECT 1 FROM user_totp WHERE user_id = $1 AND confirmed_at IS NOT NULL)", user_id
        )
    )


async def put_unconfirmed(totp: UserTotp) -> bool:
    """Takes the place of an earlier unconfirmed one. False when a confirmed one is there; nothing is changed then."""
    status = await current().execute(
        f"INSERT INTO user_totp ({columns(UserTotp)}) VALUES ($1, $2, NULL, $3, $4) ON CONFLICT (user_id) DO UPDATE "
        "SET sealed_secret = $2, last_step = $3, created_at = $4 WHERE user_totp.confirmed_at IS NULL",
        totp.user_id,
        totp.sealed_secret,
        totp.last_step,
        totp.created_at,
    )
    return status == "INSERT 0 1"


async def confirm(totp: UserTotp, *, step: int, at: datetime) -> bool:
    """With the code of `step`. False when it was confirmed, or took another secret, since `totp` was read."""
    status = await current().execute(
        "UPDATE user_totp SET confirmed_at = $3, last_step = $4 "
        "WHERE user_id = $1 AND sealed_secret = $2 AND confirmed_at IS NULL AND last_step < $4",
        totp.user_id,
        totp.sealed_secret,
        at,
        step,
    )
    return status == "UPDATE 1"


async def accept_step(totp: UserTotp, step: int) -> bool:
    """False when this step or a later one was accepted before: of two at once with one code, one gets True."""
    status = await current().execute(
        "UPDATE user_totp SET last_step = $3 "
        "WHERE user_id = $1 AND sealed_secret = $2 AND confirmed_at IS NOT NULL AND last_step < $3",
        totp.user_id,
        totp.sealed_secret,
        step,
    )
    return status == "UPDATE 1"


async def delete_totp(user_id: UUID) -> None:
    """With the recovery codes."""
    await current().execute("DELETE FROM user_recovery_codes WHERE user_id = $1", user_id)
    await current().execute("DELETE FROM user_totp WHERE user_id = $1", user_id)


async def replace_recovery_codes(user_id: UUID, codes: Sequence[UserRecoveryCode]) -> None:
    """Used and unused ones go."""
    await current().execute("DELETE FROM user_recovery_codes WHERE user_id = $1", user_id)
    for code in codes:
        await insert_row("user_recovery_codes", code)


async def use_recovery_code(user_id: UUID, code_hash: bytes, *, at: datetime) -> bool:
    """False when there is none such, or it was used: of two at once one gets True."""
    status = await current().execute(
        "UPDATE user_recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL",
        user_id,
        code_hash,
        at,
    )
    return status == "UPDATE 1"
