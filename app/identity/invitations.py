"""Invitations to a tenant: made by its owners and admins, sent by mail, accepted by whoever reads that mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import DomainError, ErrorCode, LimitReached, NotFound, Taken
from app.core.ids import new_id
from app.core.permissions import Permission, TenantRole, WorkspaceRole
from app.core.rate_limits import Limit, RateLimits
from app.core.secrets import Token, hash_secret
from app.core.use_case import requires
from app.identity.jobs import SendInvitation
from app.identity.members import acting_role
from app.identity.ports import Mail, SystemMail
from app.identity.rules import mail_texts
from app.identity.rules.addresses import read_address
from app.identity.rules.member_changes import check_grant
from app.identity.rules.session_life import INVITATION_LIFE
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.live.topics import InvitationChanged
from db.core.paging import Page
from db.queries.identity import invitations as queries
from db.queries.identity import memberships, tenants, viewers, workspaces
from db.queries.identity.invitations import Invitation

__all__ = ["Invitation"]

INVITE = "invite"
INVITATIONS_PER_HOUR = 100
MOST_WORKSPACE_ROLES = 50
_EMAIL, _ROLES, _ID = ("input", "email"), ("input", "workspaceRoles"), ("input", "invitationId")


class InvitationState(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class WorkspaceGrant:
    """A role in one workspace."""

    workspace_id: UUID
    role: WorkspaceRole


class InvitationOver(DomainError):
    """It was accepted or revoked before."""

    code = ErrorCode.WRONG_STATE


@requires(Permission.MEMBERS_READ)
async def invitations(caller: Caller, *, first: int, after: UUID | None = None) -> Page[Invitation]:
    """Newest first, in every state."""
    async with caller.transaction(read_only=True):
        return await queries.invitations(first=first, after=after)


@requires(Permission.TENANT_READ)
async def invitations_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Invitation | None]:
    """None where there is none, or the caller may not see it, in the order of `ids`."""
    if not caller.may(Permission.MEMBERS_READ):
        return [None for _ in ids]
    async with caller.transaction(read_only=True):
        rows = {row.id: row for row in await queries.invitations_by_ids(ids)}
    return [rows.get(each) for each in ids]


@requires(Permission.MEMBERS_MANAGE)
async def invite_member(
    caller: Caller, email: str, role: TenantRole, *, workspace_roles: Sequence[WorkspaceGrant] = ()
) -> Invitation:
    """Writes the invitation and queues its mail; good for seven days.

    Raises Required, Invalid, NotAllowed (only owners invite owners), NotFound (a workspace), Taken (a member, or invited
    already), LimitReached.
    """
    address = read_address(email)
    grants = {grant.workspace_id: grant.role for grant in workspace_roles}
    if len(workspace_roles) > MOST_WORKSPACE_ROLES or len(grants) < len(workspace_roles):
        raise LimitReached(f"Name up to {MOST_WORKSPACE_ROLES} workspaces, each once.", _ROLES)
    limit = Limit("invitations", INVITATIONS_PER_HOUR, 3600)
    if await caller.resources.port(RateLimits).take(limit, str(caller.tenant_id)) > 0:
        raise LimitReached(f"A tenant sends at most {INVITATIONS_PER_HOUR} invitations an hour.", ("input",))
    async with caller.transaction():
        check_grant(await acting_role(caller), role, ("input", "role"))
        if len(await workspaces.workspaces_by_ids(list(grants))) < len(grants):
            raise NotFound("workspace", _ROLES)
        if await memberships.email_is_member(address.key):
            raise Taken("This person is a member already.", _EMAIL)
        await queries.expire_invitations(address.key, at=caller.now())
        made = await _new_invitation(caller, (address.email, address.key), role, grants)
        if not await queries.insert_invitation(made):
            raise Taken("This person is invited already: revoke that invitation to send another.", _EMAIL)
        await enqueue(caller, SendInvitation(made.id))
        await _changed(caller, made, version=1, state=InvitationState.PENDING, action="member.invite")
    return made


async def _new_invitation(
    caller: Caller, address: tuple[str, str], role: TenantRole, grants: dict[UUID, WorkspaceRole]
) -> Invitation:
    """The secret is kept sealed until the invitation ends, so that a retried mail carries the same link."""
    now = caller.now()
    token = Token.new(INVITE, caller.tenant_id, new_id())
    sealed = caller.resources.cipher.seal(
        token.secret.encode(),
        tenant_id=caller.tenant_id,
        table="invitations",
        column="sealed_secret",
        row_id=token.row_id,
    )
    inviter = None if caller.user_id is None else await viewers.viewer(caller.user_id)
    return Invitation(
        tenant_id=caller.tenant_id,
        id=token.row_id,
        email=address[0],
        email_key=address[1],
        role=role,
        workspace_roles=[{"workspace_id": str(each), "role": granted.value} for each, granted in grants.items()],
        invited_by="An administrator" if inviter is None else inviter.display_name,
        secret_hash=hash_secret(token.secret),
        sealed_secret=sealed,
        state=InvitationState.PENDING,
        version=1,
        expires_at=now + INVITATION_LIFE,
        created_at=now,
        updated_at=now,
    )


async def _changed(caller: Caller, invitation: Invitation, *, version: int, state: str, action: str) -> None:
    await record(caller, InvitationChanged(workspace_id=None, object_id=invitation.id, version=version, state=state))
    await audit(caller, action, object_type="Invitation", object_id=invitation.id, details={"role": invitation.role})


@requires(Permission.MEMBERS_MANAGE)
async def revoke_invitation(caller: Caller, invitation_id: UUID) -> Invitation:
    """Its link is dead from now on. Idempotent. Raises NotFound, InvitationOver (accepted)."""
    async with caller.transaction():
        await acting_role(caller)
        held = await queries.lock_invitation(invitation_id)
        if held is None:
            raise NotFound("invitation", _ID)
        if held.state == InvitationState.ACCEPTED:
            raise InvitationOver("It was accepted already: remove the member instead.", _ID)
        if held.state == InvitationState.PENDING:
            version = await queries.end_invitation(invitation_id, InvitationState.REVOKED, at=caller.now())
            await _changed(caller, held, version=version, state=InvitationState.REVOKED, action="invitation.revoke")
        after = await queries.invitation_by_id(invitation_id)
    assert after is not None
    return after


@requires(Permission.MEMBERS_MANAGE)
async def send_invitation(caller: Caller, invitation_id: UUID) -> None:
    """The job: mails the link, unless the invitation has ended. Raises SystemMailUnavailable."""
    async with caller.transaction(read_only=True):
        invitation = await queries.invitation_by_id(invitation_id)
        tenant = await tenants.tenant()
    if invitation is None or tenant is None or invitation.sealed_secret is None:
        return
    if invitation.state != InvitationState.PENDING or invitation.expires_at <= caller.now():
        return
    secret = caller.resources.cipher.open(
        invitation.sealed_secret,
        tenant_id=caller.tenant_id,
        table="invitations",
        column="sealed_secret",
        row_id=invitation.id,
    )
    words = mail_texts.invitation(
        caller.resources.settings.public_url,
        invited_by=invitation.invited_by,
        tenant_name=tenant.name,
        token=str(Token(INVITE, caller.tenant_id, invitation.id, secret.decode())),
        expires_at=invitation.expires_at,
    )
    await caller.resources.port(SystemMail).send(Mail(invitation.email, *words))
