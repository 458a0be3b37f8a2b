"""Accepting an invitation: by someone signed in, by someone with an account, or by someone new."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from app.core.errors import Conflict, LimitReached, Required, Taken
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.secrets import Token, secret_matches
from app.core.use_case import requires
from app.identity.candidates import Candidates, candidates_of, fitting
from app.identity.errors import AddressHasAccount, LinkOver, WrongCredentials
from app.identity.invitations import INVITE, InvitationState
from app.identity.passwords import Passwords
from app.identity.rules.member_changes import NotAllowed
from app.identity.rules.names import read_name
from app.identity.rules.networks import UNKNOWN, network_of
from app.identity.rules.password_policy import check_password
from app.identity.second_factor import prove_second_factor
from app.identity.session_opening import SignedIn, acting, living_session, open_session
from app.identity.sign_in_limits import begin_attempt
from app.identity.step_up import prove_password
from app.live.recording import record
from app.live.topics import InvitationChanged, MemberJoined
from db.core.transaction import shared_transaction, tenant_transaction
from db.queries.identity import invitations, memberships, tenants, users, workspaces
from db.queries.identity.invitations import Invitation
from db.queries.identity.memberships import Member, Membership, WorkspaceMembership
from db.queries.identity.users import User

MOST_TENANTS = 50
_ASK = "Ask for a new invitation."


@dataclass(frozen=True, slots=True)
class _Given:
    """What the person typed beside the mailed token."""

    name: str | None
    password: str | None
    totp_code: str | None


@requires(None)
async def accept_invitation(
    caller: Caller, token: str, *, name: str | None = None, password: str | None = None, totp_code: str | None = None
) -> SignedIn:
    """Makes the person a member and opens a session in the tenant. The mailed token proves the address.

    Someone signed in with the invited address needs nothing more; someone with an account gives its password, and a code
    of its second factor if it has one; someone new gives name and password. An unverified user is verified by it, if it
    is the person's own: they are signed in as it, or know its password. Others who signed up with the address are left alone: a new, verified user stands beside them.
    Raises LinkOver, Required, WeakPassword, WrongCredentials, TotpRequired, NotAllowed, TooManyAttempts, Taken.
    """
    attempt = await begin_attempt(caller)
    parsed = Token.parse(token, INVITE)
    if parsed is None:
        raise LinkOver(_ASK)
    async with tenant_transaction(parsed.tenant_id, read_only=True):
        invitation = _living(await invitations.invitation_by_id(parsed.row_id), parsed, caller.now())
    await attempt.forgive()
    user, auth_epoch = await _joining_user(caller, invitation, _Given(name, password, totp_code))
    if invitation.tenant_id not in user.tenant_hints and len(user.tenant_hints) >= MOST_TENANTS:
        raise LimitReached(f"A person belongs to at most {MOST_TENANTS} tenants.", ("input",))
    async with shared_transaction():
        await users.add_tenant_hint(user.id, invitation.tenant_id, at=caller.now())
    async with tenant_transaction(invitation.tenant_id):
        held = _living(await invitations.lock_invitation(invitation.id), parsed, caller.now())
        return await _join(caller, held, user, auth_epoch)


def _living(invitation: Invitation | None, token: Token, now: datetime) -> Invitation:
    if invitation is None or not secret_matches(token.secret, invitation.secret_hash):
        raise LinkOver(_ASK)
    if invitation.state != InvitationState.PENDING or invitation.expires_at <= now:
        raise LinkOver(_ASK)
    return invitation


async def _joining_user(caller: Caller, invitation: Invitation, given: _Given) -> tuple[User, int]:
    """The user and the epoch at which they proved themselves."""
    if caller.kind is CallerKind.USER:
        user, session = await living_session(caller)
        if user.email_key != invitation.email_key:
            raise NotAllowed(
                "This invitation went to another address: sign out, or sign in as that person.", ("input",)
            )
        return await _verified(caller, user), session.auth_epoch
    known = await candidates_of(invitation.email_key)
    if given.password is None:
        raise Required("Give your password.", ("input", "password"))
    if known.verified is not None:
        return await _proved(caller, known.verified, given.password, given.totp_code)
    fits = await fitting(caller, known, given.password)
    if fits:
        return await _verified(caller, fits[0]), fits[0].auth_epoch
    if given.name is None:
        raise Required("Give your name.", ("input", "name"))
    return await _new_user(caller, invitation, known, (given.name, given.password))


async def _verified(caller: Caller, user: User) -> User:
    if user.email_verified_at is not None:
        return user
    now = caller.now()
    try:
        async with shared_transaction():
            await users.mark_verified(user.id, at=now)
    except users.AddressVerified:
        raise AddressHasAccount from None
    return replace(user, email_verified_at=now)


async def _proved(caller: Caller, known: User, password: str, totp_code: str | None) -> tuple[User, int]:
    attempt = await prove_password(caller, known, password, refusal=WrongCredentials())
    await prove_second_factor(caller, attempt, known, totp_code)
    return known, known.auth_epoch


async def _new_user(
    caller: Caller, invitation: Invitation, known: Candidates, given: tuple[str, str]
) -> tuple[User, int]:
    """Whoever signed up with this address without proving it can do so no more: the reader of its mail has it."""
    name = read_name(given[0], ("input", "name"))
    password = check_password(given[1], address=invitation.email)
    password_hash = await caller.resources.port(Passwords).hash(password)
    network, now = network_of(caller.address), caller.now()
    networks = [] if network == UNKNOWN else [network]
    made = User(
        id=new_id(),
        email=invitation.email,
        email_key=invitation.email_key,
        display_name=name,
        password_hash=password_hash,
        auth_epoch=1,
        email_verified_at=now,
        tenant_hints=[invitation.tenant_id],
        last_tenant=invitation.tenant_id,
        known_networks=networks,
        created_at=now,
        updated_at=now,
        sign_up_number=known.next_sign_up_number,
    )
    async with shared_transaction():
        if not await users.insert_user(made):
            raise Conflict("This address was just signed up: try again.", ("input",))
    return made, 1


async def _join(caller: Caller, invitation: Invitation, user: User, auth_epoch: int) -> SignedIn:
    """Inside the tenant's transaction, with the invitation locked and alive."""
    now, role = caller.now(), TenantRole(invitation.role)
    membership = Membership(invitation.tenant_id, new_id(), user.id, role, user.email, user.display_name, 1, now, now)
    if not await memberships.insert_membership(membership):
        raise Taken("You are a member of this tenant already: sign in.", ("input", "token"))
    await _grant_workspaces(invitation, membership)
    version = await invitations.end_invitation(invitation.id, InvitationState.ACCEPTED, at=now)
    member, tenant = await memberships.member_by_user(user.id), await tenants.tenant()
    assert member is not None
    assert tenant is not None
    joined = acting(caller, member)
    await _record_joining(joined, invitation, member, version)
    return await open_session(caller, member, tenant, auth_epoch=auth_epoch, action="session.accept_invitation")


async def _grant_workspaces(invitation: Invitation, membership: Membership) -> None:
    """Workspaces that are gone since are left out."""
    wanted = {UUID(each["workspace_id"]): str(each["role"]) for each in invitation.workspace_roles}
    for workspace in await workspaces.workspaces_by_ids(list(wanted)):
        await memberships.insert_workspace_membership(
            WorkspaceMembership(
                membership.tenant_id,
                new_id(),
                workspace.id,
                membership.id,
                wanted[workspace.id],
                membership.created_at,
                membership.created_at,
            )
        )


async def _record_joining(joined: Caller, invitation: Invitation, member: Member, version: int) -> None:
    await record(
        joined,
        MemberJoined(workspace_id=None, object_id=member.id, version=1, role=member.role),
        InvitationChanged(workspace_id=None, object_id=invitation.id, version=version, state=InvitationState.ACCEPTED),
    )
    await audit(joined, "invitation.accept", object_type="Invitation", object_id=invitation.id)
