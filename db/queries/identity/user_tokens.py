"""Links sent by mail to a user: verify the address, reset the password. Shared, like users."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import columns, insert_row, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class UserToken:
    id: UUID
    user_id: UUID
    purpose: str
    secret_hash: bytes
    expires_at: datetime
    used_at: datetime | None
    created_at: datetime


async def insert_token(token: UserToken) -> None:
    """Also deletes the user's tokens that ended a while ago, so that they do not pile up."""
    await current().execute(
        "DELETE FROM user_tokens WHERE user_id = $1 AND expires_at < $2::timestamptz - interval '7 days'",
        token.user_id,
        token.created_at,
    )
    await insert_row("user_tokens", token)


async def lock_token(token_id: UUID, purpose: str) -> UserToken | None:
    return await one_row(
        UserToken,
        f"SELECT {columns(UserToken)} FROM user_tokens WHERE id = $1 AND purpose = $2 FOR UPDATE",
        token_id,
        purpose,
    )


async def use_tokens(user_id: UUID, purpose: str, *, at: datetime) -> None:
    """Marks every unused token of that purpose used: with one link used, the user's others are dead."""
    await current().execute(
        "UPDATE user_tokens SET used_at = $3 WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL",
        user_id,
        purpose,
        at,
    )
