"""Sessions and their refresh tokens: one family per sign-in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, insert_row, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Session:
    tenant_id: UUID
    id: UUID
    user_id: UUID
    auth_epoch: int
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_because: str | None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    tenant_id: UUID
    id: UUID
    session_id: UUID
    secret_hash: bytes
    used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """What one request needs to know of its session: who, until when, with which roles."""

    user_id: UUID
    role: str
    expires_at: datetime
    workspace_ids: list[UUID]
    workspace_roles: list[str]


_ALIVE = "s.revoked_at IS NULL AND s.expires_at > $3 AND s.auth_epoch = u.auth_epoch"


async def insert_session(session: Session) -> None:
    """Also deletes the user's sessions in this tenant that ended over 30 days ago, with their tokens."""
    await current().execute(
        "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND expires_at < $3::timestamptz - interval '30 days'",
        session.tenant_id,
        session.user_id,
        session.created_at,
    )
    await insert_row("sessions", session)


async def insert_refresh_token(token: RefreshToken) -> None:
    await insert_row("refresh_tokens", token)


async def refresh_token_by_id(token_id: UUID) -> RefreshToken | None:
    return await one_row(
        RefreshToken,
        f"SELECT {columns(RefreshToken)} FROM refresh_tokens WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        token_id,
    )


async def use_refresh_token(token_id: UUID, *, at: datetime) -> bool:
    """False when it had been used before: only one of two at once gets True."""
    status = await current().execute(
        "UPDATE refresh_tokens SET used_at = $3 WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL",
        current().tenant_id,
        token_id,
        at,
    )
    return status == "UPDATE 1"


async def lock_session(session_id: UUID) -> Session | None:
    return await one_row(
        Session,
        f"SELECT {columns(Session)} FROM sessions WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        session_id,
    )


async def admission(session_id: UUID, *, at: datetime) -> Admission | None:
    """None when the session ended, its user is no member any more, or the password changed since."""
    return await one_row(
        Admission,
        f"""
        SELECT s.user_id, m.role, s.expires_at,
          COALESCE((SELECT array_agg(w.workspace_id ORDER BY w.workspace_id) FROM workspace_memberships w
            WHERE w.tenant_id = $1 AND w.membership_id = m.id), '{{}}'),
          COALESCE((SELECT array_agg(w.role ORDER BY w.workspace_id) FROM workspace_memberships w
            WHERE w.tenant_id = $1 AND w.membership_id = m.id), '{{}}')
        FROM sessions s
        JOIN memberships m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id
        JOIN users u ON u.id = s.user_id
        WHERE s.tenant_id = $1 AND s.id = $2 AND {_ALIVE}
        """,
        current().tenant_id,
        session_id,
        at,
    )


async def extend_session(session_id: UUID, *, expires_at: datetime, at: datetime) -> None:
    await current().execute(
        "UPDATE sessions SET last_used_at = $3, expires_at = $4 WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        session_id,
        at,
        expires_at,
    )


async def set_session_epoch(session_id: UUID, auth_epoch: int) -> None:
    await current().execute(
        "UPDATE sessions SET auth_epoch = $3 WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        session_id,
        auth_epoch,
    )


async def revoke_session(session_id: UUID, because: str, *, at: datetime) -> bool:
    """False when it had ended already."""
    status = await current().execute(
        "UPDATE sessions SET revoked_at = $3, revoked_because = $4 "
        "WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        current().tenant_id,
        session_id,
        at,
        because,
    )
    return status == "UPDATE 1"


async def revoke_sessions_of(user_id: UUID, because: str, *, but: UUID | None, at: datetime) -> int:
    """Ends the user's sessions in this tenant, except `but`. Returns how many."""
    status = await current().execute(
        "UPDATE sessions SET revoked_at = $3, revoked_because = $4 "
        "WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND ($5::uuid IS NULL OR id <> $5)",
        current().tenant_id,
        user_id,
        at,
        because,
        but,
    )
    return int(status.rpartition(" ")[2])


async def sessions_of(user_id: UUID, *, at: datetime, first: int, after: UUID | None) -> Page[Session]:
    """The user's living sessions in this tenant, newest first."""
    rows = await all_rows(
        Session,
        f"SELECT {columns(Session, 's')} FROM sessions s JOIN users u ON u.id = s.user_id "
        f"WHERE s.tenant_id = $1 AND s.user_id = $2 AND {_ALIVE} "
        "AND ($4::uuid IS NULL OR s.id < $4) ORDER BY s.id DESC LIMIT $5",
        current().tenant_id,
        user_id,
        at,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def sessions_by_ids(user_id: UUID, ids: Sequence[UUID], *, at: datetime) -> list[Session]:
    """The living ones among them that are the user's own."""
    return await all_rows(
        Session,
        f"SELECT {columns(Session, 's')} FROM sessions s JOIN users u ON u.id = s.user_id "
        f"WHERE s.tenant_id = $1 AND s.user_id = $2 AND {_ALIVE} AND s.id = ANY ($4::uuid[])",
        current().tenant_id,
        user_id,
        at,
        list(ids),
    )
