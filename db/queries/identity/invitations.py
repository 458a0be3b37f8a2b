"""Invitations to the tenant, sent by mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Invitation:
    """`workspace_roles` is a list of {"workspace_id", "role"}. The sealed secret is there until the invitation ends."""

    tenant_id: UUID
    id: UUID
    email: str
    email_key: str
    role: str
    workspace_roles: list[dict[str, Any]]
    invited_by: str
    secret_hash: bytes
    sealed_secret: bytes | None
    state: str
    version: int
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


async def expire_invitations(email_key: str, *, at: datetime) -> None:
    """Ends a pending one whose time is over, so that the address can be invited again."""
    await current().execute(
        "UPDATE invitations SET state = 'expired', sealed_secret = NULL, version = version + 1, updated_at = $3 "
        "WHERE tenant_id = $1 AND email_key = $2 AND state = 'pending' AND expires_at <= $3",
        current().tenant_id,
        email_key,
        at,
    )


async def insert_invitation(invitation: Invitation) -> bool:
    """False when a pending invitation to the address exists."""
    status = await current().execute(
        f"INSERT INTO invitations ({columns(Invitation)}) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (tenant_id, email_key) WHERE state = 'pending' DO NOTHING",
        *(getattr(invitation, name) for name in Invitation.__slots__),
    )
    return status == "INSERT 0 1"


async def invitation_by_id(invitation_id: UUID) -> Invitation | None:
    return await one_row(
        Invitation,
        f"SELECT {columns(Invitation)} FROM invitations WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        invitation_id,
    )


async def lock_invitation(invitation_id: UUID) -> Invitation | None:
    return await one_row(
        Invitation,
        f"SELECT {columns(Invitation)} FROM invitations WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        invitation_id,
    )


async def lock_pending() -> list[Invitation]:
    """All that are open in the tenant, locked in the order of their ids."""
    return await all_rows(
        Invitation,
        f"SELECT {columns(Invitation)} FROM invitations WHERE tenant_id = $1 AND state = 'pending' "
        "ORDER BY id FOR UPDATE",
        current().tenant_id,
    )


async def end_invitation(invitation_id: UUID, state: str, *, at: datetime) -> int:
    """Accepted or revoked; forgets the sealed secret. Returns the new version."""
    version = await current().fetchval(
        "UPDATE invitations SET state = $3, sealed_secret = NULL, version = version + 1, updated_at = $4 "
        "WHERE tenant_id = $1 AND id = $2 RETURNING version",
        current().tenant_id,
        invitation_id,
        state,
        at,
    )
    return int(version)


async def invitations(*, first: int, after: UUID | None) -> Page[Invitation]:
    """Newest first, in every state."""
    rows = await all_rows(
        Invitation,
        f"SELECT {columns(Invitation)} FROM invitations WHERE tenant_id = $1 "
        "AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        current().tenant_id,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def invitations_by_ids(ids: Sequence[UUID]) -> list[Invitation]:
    return await all_rows(
        Invitation,
        f"SELECT {columns(Invitation)} FROM invitations WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )
