"""Signing in and out, refreshing, and one's own sessions. A session is one sign-in in one tenant."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller, CallerKind
from app.core.errors import NotFound, Unauthenticated
from app.core.permissions import Permission
from app.core.secrets import Token, secret_matches
from app.core.use_case import requires
from app.identity.candidates import candidates_of, fitting
from app.identity.errors import SessionOver, WrongCredentials
from app.identity.passwords import Passwords
from app.identity.rules.addresses import address_key
from app.identity.rules.networks import network_of, remembered
from app.identity.rules.password_policy import normalized_password
from app.identity.rules.session_life import session_end
from app.identity.second_factor import prove_second_factor
from app.identity.session_opening import (
    REFRESH,
    SessionTokens,
    SignedIn,
    enter,
    issue_tokens,
    living_session,
    tenants_to_try,
)
from app.identity.sign_in_limits import Attempt, begin_attempt, count_against_account
from db.core.paging import Page
from db.core.transaction import shared_transaction, tenant_transaction
from db.queries.identity import sessions as queries
from db.queries.identity import users
from db.queries.identity.sessions import Session
from db.queries.identity.users import User

__all__ = ["Session", "SessionTokens", "SignedIn"]


@requires(None)
async def sign_in(
    caller: Caller, email: str, password: str, *, tenant_id: UUID | None = None, totp_code: str | None = None
) -> SignedIn:
    """Opens a session in `tenant_id`, or in the tenant last used.

    The password is compared with the address's verified user and with its newest unverified one: always two argon2, and
    the verified user is preferred. So whoever signs up with a stranger's address can take the place of that person's own
    unverified user here, until one of both is verified by mail, and never that of a verified one. Raises TooManyAttempts,
    WrongCredentials (unknown address, wrong password, wrong or used code), after the right password TotpRequired when
    the user has a second factor and `totp_code` is None, and last NotFound for a tenant that the person is no member of.
    """
    attempt = await begin_attempt(caller)
    proved = await _proved_users(caller, attempt, email, password)
    if proved[0].email_verified_at is not None:  # only these have a second factor, and get attempts back
        await prove_second_factor(caller, attempt, proved[0], totp_code)
    user, entered = await _enter_one_of(caller, proved, tenant_id)
    password_hash = user.password_hash
    passwords = caller.resources.port(Passwords)
    if passwords.is_outdated(password_hash):
        password_hash = await passwords.hash(normalized_password(password))
    async with shared_transaction():
        networks = remembered(user.known_networks, network_of(caller.address))
        await users.remember_sign_in(user, entered.tenant.id, networks, password_hash=password_hash, at=caller.now())
    return entered


async def _proved_users(caller: Caller, attempt: Attempt, email: str, password: str) -> list[User]:
    """At least one."""
    key = address_key(email)
    known = await candidates_of(key)
    await count_against_account(caller, attempt, key, known.known_networks)
    fits = await fitting(caller, known, password)
    if not fits:
        raise WrongCredentials
    return fits


async def _enter_one_of(caller: Caller, proved: Sequence[User], wanted: UUID | None) -> tuple[User, SignedIn]:
    for user in proved:
        for tenant_id in tenants_to_try(user) if wanted is None else [wanted]:
            entered = await enter(caller, user, tenant_id, auth_epoch=user.auth_epoch, action="session.sign_in")
            if entered is not None:
                return user, entered
    raise NotFound("tenant", ("input", "tenantId"))


@requires(Permission.SESSIONS_MANAGE)
async def switch_tenant(caller: Caller, tenant_id: UUID) -> SignedIn:
    """Opens another session, in another tenant of the same person; the present one goes on.

    Raises NotFound for a tenant that the person is no member of, Unauthenticated when the present session has ended.
    """
    user, session = await living_session(caller)
    epoch = session.auth_epoch
    entered = await enter(caller, user, tenant_id, auth_epoch=epoch, action="session.switch_tenant")
    if entered is None:
        raise NotFound("tenant", ("input", "tenantId"))
    async with shared_transaction():
        await users.set_last_tenant(user.id, tenant_id, at=caller.now())
    return entered


@requires(None)
async def refresh_session(caller: Caller, refresh_token: str) -> SessionTokens:
    """New tokens for the session's latest refresh token, which is used up by it.

    A token that was used before means that two hold it: the whole session ends, for both. Of two calls at once with one
    token one wins and the session ends, since nobody can tell a race from a thief. Raises SessionOver.
    """
    token = Token.parse(refresh_token, REFRESH)
    if token is None:
        raise SessionOver
    now = caller.now()
    async with tenant_transaction(token.tenant_id):
        held = await queries.refresh_token_by_id(token.row_id)
        if held is None or not secret_matches(token.secret, held.secret_hash):
            raise SessionOver
        session = await queries.lock_session(held.session_id)
        admission = await queries.admission(held.session_id, at=now)
        if session is None or admission is None:
            raise SessionOver
        if await queries.use_refresh_token(held.id, at=now):
            expires_at = session_end(session.created_at, now)
            await queries.extend_session(session.id, expires_at=expires_at, at=now)
            return await issue_tokens(caller, session, expires_at=expires_at)
        await _end_stolen(caller, session)
    raise SessionOver


async def _end_stolen(caller: Caller, session: Session) -> None:
    await queries.revoke_session(session.id, "refresh token used twice", at=caller.now())
    owner = replace(caller, kind=CallerKind.USER, tenant=session.tenant_id, user_id=session.user_id)
    await audit(owner, "session.reuse_refresh_token", object_type="Session", object_id=session.id)


@requires(Permission.SESSIONS_MANAGE)
async def sign_out(caller: Caller) -> None:
    """Ends the caller's session. Idempotent."""
    if caller.session_id is None:
        raise Unauthenticated
    async with caller.transaction():
        if await queries.revoke_session(caller.session_id, "signed out", at=caller.now()):
            await audit(caller, "session.sign_out", object_type="Session", object_id=caller.session_id)


@requires(Permission.SESSIONS_MANAGE)
async def sessions(caller: Caller, *, first: int, after: UUID | None = None) -> Page[Session]:
    """The caller's own living sessions in this tenant, newest first."""
    async with caller.transaction(read_only=True):
        return await queries.sessions_of(_user_of(caller), at=caller.now(), first=first, after=after)


@requires(Permission.SESSIONS_MANAGE)
async def sessions_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Session | None]:
    """One's own living ones; None elsewhere, in the order of `ids`."""
    async with caller.transaction(read_only=True):
        rows = {row.id: row for row in await queries.sessions_by_ids(_user_of(caller), ids, at=caller.now())}
    return [rows.get(each) for each in ids]


@requires(Permission.SESSIONS_MANAGE)
async def revoke_session(caller: Caller, session_id: UUID) -> Session:
    """Ends one of the caller's own sessions in this tenant. Raises NotFound."""
    now = caller.now()
    async with caller.transaction():
        session = await queries.lock_session(session_id)
        if session is None or session.user_id != caller.user_id:
            raise NotFound("session", ("input", "sessionId"))
        if await queries.revoke_session(session_id, "revoked", at=now):
            await audit(caller, "session.revoke", object_type="Session", object_id=session_id)
    return replace(session, revoked_at=session.revoked_at or now)


@requires(Permission.SESSIONS_MANAGE)
async def revoke_other_sessions(caller: Caller) -> int:
    """Ends all of the caller's sessions in this tenant but this one. Returns how many."""
    async with caller.transaction():
        ended = await queries.revoke_sessions_of(_user_of(caller), "revoked", but=caller.session_id, at=caller.now())
        await audit(
            caller, "session.revoke_others", object_type="User", object_id=caller.user_id, details={"ended": ended}
        )
    return ended


def _user_of(caller: Caller) -> UUID:
    if caller.user_id is None:
        raise Unauthenticated
    return caller.user_id
