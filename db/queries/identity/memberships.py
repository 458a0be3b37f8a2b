"""Members of the tenant and their roles in it and in its workspaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, insert_row, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Membership:
    """`email` and `display_name` are copies of the user's, so that lists need no shared table."""

    tenant_id: UUID
    id: UUID
    user_id: UUID
    role: str
    email: str
    display_name: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A membership with the workspace roles it has, as two lists of equal length and order."""

    tenant_id: UUID
    id: UUID
    user_id: UUID
    role: str
    email: str
    display_name: str
    version: int
    created_at: datetime
    updated_at: datetime
    workspace_ids: list[UUID]
    workspace_roles: list[str]


@dataclass(frozen=True, slots=True)
class WorkspaceMembership:
    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    membership_id: UUID
    role: str
    created_at: datetime
    updated_at: datetime


# LIMIT first, the workspace roles after: the lateral part runs once per row of the page.
_MEMBERS = f"""
SELECT {columns(Membership, "m")}, COALESCE(w.ids, '{{{{}}}}'), COALESCE(w.roles, '{{{{}}}}')
FROM (SELECT * FROM memberships WHERE tenant_id = $1 {{where}}) m
LEFT JOIN LATERAL (
  SELECT array_agg(x.workspace_id ORDER BY x.workspace_id) AS ids, array_agg(x.role ORDER BY x.workspace_id) AS roles
  FROM workspace_memberships x WHERE x.tenant_id = $1 AND x.membership_id = m.id
) w ON true
ORDER BY m.id DESC
"""


async def insert_membership(membership: Membership) -> bool:
    """False when the user is a member already."""
    status = await current().execute(
        f"INSERT INTO memberships ({columns(Membership)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (tenant_id, user_id) DO NOTHING",
        *(getattr(membership, name) for name in Membership.__slots__),
    )
    return status == "INSERT 0 1"


async def insert_workspace_membership(row: WorkspaceMembership) -> None:
    await insert_row("workspace_memberships", row)


async def membership_of_user(user_id: UUID) -> Membership | None:
    return await one_row(
        Membership,
        f"SELECT {columns(Membership)} FROM memberships WHERE tenant_id = $1 AND user_id = $2",
        current().tenant_id,
        user_id,
    )


async def lock_membership(membership_id: UUID) -> Membership | None:
    return await one_row(
        Membership,
        f"SELECT {columns(Membership)} FROM memberships WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        current().tenant_id,
        membership_id,
    )


async def lock_owners() -> list[Membership]:
    """All owners, locked in the order of their ids: whoever waited sees what the first one left."""
    return await all_rows(
        Membership,
        f"SELECT {columns(Membership)} FROM memberships WHERE tenant_id = $1 AND role = 'owner' ORDER BY id FOR UPDATE",
        current().tenant_id,
    )


async def lock_memberships() -> list[Membership]:
    """All of the tenant, locked in the order of their ids."""
    return await all_rows(
        Membership,
        f"SELECT {columns(Membership)} FROM memberships WHERE tenant_id = $1 ORDER BY id FOR UPDATE",
        current().tenant_id,
    )


async def email_is_member(email_key: str) -> bool:
    """By the user's address of today, not by the copy."""
    return bool(
        await current().fetchval(
            "SELECT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id "
            "WHERE m.tenant_id = $1 AND u.email_key = $2)",
            current().tenant_id,
            email_key,
        )
    )


async def set_role(membership_id: UUID, role: str, *, at: datetime) -> int:
    """Returns the new version."""
    version = await current().fetchval(
        "UPDATE memberships SET role = $3, version = version + 1, updated_at = $4 "
        "WHERE tenant_id = $1 AND id = $2 RETURNING version",
        current().tenant_id,
        membership_id,
        role,
        at,
    )
    return int(version)


async def touch(membership_id: UUID, *, at: datetime) -> int:
    """Raises the version: something that belongs to the membership changed."""
    version = await current().fetchval(
        "UPDATE memberships SET version = version + 1, updated_at = $3 "
        "WHERE tenant_id = $1 AND id = $2 RETURNING version",
        current().tenant_id,
        membership_id,
        at,
    )
    return int(version)


async def delete_membership(membership_id: UUID) -> None:
    """With its workspace roles."""
    await current().execute(
        "DELETE FROM memberships WHERE tenant_id = $1 AND id = $2", current().tenant_id, membership_id
    )


async def set_workspace_role(row: WorkspaceMembership) -> None:
    """Inserts it, or changes the role of the one that exists."""
    await current().execute(
        f"INSERT INTO workspace_memberships ({columns(WorkspaceMembership)}) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (tenant_id, membership_id, workspace_id) "
        "DO UPDATE SET role = EXCLUDED.role, updated_at = EXCLUDED.updated_at",
        *(getattr(row, name) for name in WorkspaceMembership.__slots__),
    )


async def delete_workspace_role(membership_id: UUID, workspace_id: UUID) -> bool:
    """False when there was none."""
    status = await current().execute(
        "DELETE FROM workspace_memberships WHERE tenant_id = $1 AND membership_id = $2 AND workspace_id = $3",
        current().tenant_id,
        membership_id,
        workspace_id,
    )
    return status == "DELETE 1"


async def members(*, first: int, after: UUID | None) -> Page[Member]:
    """Newest first."""
    sql = _MEMBERS.format(where="AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3")
    return Page.cut(await all_rows(Member, sql, current().tenant_id, after, first + 1), first)


async def members_by_ids(ids: Sequence[UUID]) -> list[Member]:
    """Those that exist, newest first."""
    sql = _MEMBERS.format(where="AND id = ANY ($2::uuid[])")
    return await all_rows(Member, sql, current().tenant_id, list(ids))


async def member_by_user(user_id: UUID) -> Member | None:
    return await one_row(Member, _MEMBERS.format(where="AND user_id = $2"), current().tenant_id, user_id)
