"""Making an unverified user's tenants the mailbox reader's own, when they set a new password.

Anybody can sign up with a stranger's address and let accomplices in. Once the address's owner takes that user over by
mail, none of them may remain: whoever let them in had proved nothing.
"""

from dataclasses import replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from app.core.permissions import TenantRole
from app.identity.invitations import InvitationState
from app.live.recording import record
from app.live.topics import InvitationChanged, MemberRemoved
from db.core.transaction import shared_transaction
from db.queries.identity import invitations, memberships, sessions, users
from db.queries.identity.memberships import Membership
from db.queries.identity.users import User


async def reclaim_tenants(caller: Caller, user: User) -> None:
    """Leaves `user`, who was unverified until now, the only member of its tenants, an owner, with no invitation open."""
    for tenant_id in user.tenant_hints:
        owner = replace(
            caller, kind=CallerKind.USER, tenant=tenant_id, user_id=user.id, role=TenantRole.OWNER, session_id=None
        )
        for stranger in await _reclaim(owner, user.id):
            async with shared_transaction():
                await users.remove_tenant_hint(stranger.user_id, tenant_id, at=caller.now())


async def _reclaim(owner: Caller, user_id: UUID) -> list[Membership]:
    now = owner.now()
    async with owner.transaction():
        own = await memberships.membership_of_user(user_id)
        if own is None:
            return []
        strangers = [each for each in await memberships.lock_memberships() if each.user_id != user_id]
        for each in strangers:
            await memberships.delete_membership(each.id)
            await sessions.revoke_sessions_of(each.user_id, "member removed", but=None, at=now)
            await record(
                owner, MemberRemoved(workspace_id=None, object_id=each.id, version=each.version + 1, role=each.role)
            )
            await audit(owner, "member.remove", object_type="Member", object_id=each.id, details={"user": each.user_id})
        if own.role != TenantRole.OWNER:
            await memberships.set_role(own.id, TenantRole.OWNER, at=now)
        for invitation in await invitations.lock_pending():
            version = await invitations.end_invitation(invitation.id, InvitationState.REVOKED, at=now)
            await record(
                owner,
                InvitationChanged(
                    workspace_id=None, object_id=invitation.id, version=version, state=InvitationState.REVOKED
                ),
            )
            await audit(owner, "invitation.revoke", object_type="Invitation", object_id=invitation.id)
    return strangers
