"""Who is signed in, in one query: it is asked with every page that opens."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Viewer:
    user_id: UUID
    email: str
    display_name: str
    email_verified_at: datetime | None
    membership_id: UUID
    role: str
    tenant_id: UUID
    tenant_name: str
    totp_enabled: bool


async def viewer(user_id: UUID) -> Viewer | None:
    """The user as a member of the open transaction's tenant."""
    return await one_row(
        Viewer,
        """
        SELECT u.id, u.email, u.display_name, u.email_verified_at, m.id, m.role, t.id, t.name,
          EXISTS (SELECT 1 FROM user_totp f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL)
        FROM memberships m JOIN users u ON u.id = m.user_id JOIN tenants t ON t.id = m.tenant_id
        WHERE m.tenant_id = $1 AND m.user_id = $2
        """,
        current().tenant_id,
        user_id,
    )
