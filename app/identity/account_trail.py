"""What happened to a person's login, in the audit trail of every tenant of theirs: a login belongs to none."""

from dataclasses import replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from db.queries.identity import memberships, sessions
from db.queries.identity.users import User


async def audit_in_tenants(caller: Caller, user: User, action: str, *, ends_sessions: bool = False) -> None:
    """One entry in every tenant that the user is a member of; sessions died with the epoch, here they are marked so."""
    for tenant_id in user.tenant_hints:
        await _audit_in_tenant(
            replace(caller, kind=CallerKind.USER, tenant=tenant_id, user_id=user.id), action, user.id, ends_sessions
        )


async def _audit_in_tenant(by_user: Caller, action: str, user_id: UUID, ends_sessions: bool) -> None:
    async with by_user.transaction():
        if await memberships.membership_of_user(user_id) is None:
            return
        if ends_sessions:
            await sessions.revoke_sessions_of(user_id, "password reset", but=None, at=by_user.now())
        await audit(by_user, action, object_type="User", object_id=user_id)
