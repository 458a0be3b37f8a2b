"""A person's account: proving the address, changing and resetting the password.

Nothing here tells whether an address has an account: not its answers, not their time, only the mail to that address.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import Unauthenticated
from app.core.permissions import Permission
from app.core.secrets import Token, secret_matches
from app.core.use_case import requires
from app.identity.account_trail import audit_in_tenants
from app.identity.errors import AddressHasAccount, LinkOver, WrongPassword
from app.identity.even_answers import even_answer
from app.identity.jobs import SendPasswordChanged, SendPasswordReset
from app.identity.passwords import Passwords
from app.identity.reclaiming import reclaim_tenants
from app.identity.rules.addresses import read_address
from app.identity.rules.networks import UNKNOWN, network_of
from app.identity.rules.password_policy import check_password
from app.identity.sign_in_limits import count_host
from app.identity.step_up import own_user, prove_password
from app.identity.user_mail import PURPOSES, RESET, VERIFY, mail_user
from app.jobs.outbox import enqueue
from db.core.transaction import shared_transaction
from db.queries.identity import sessions as session_rows
from db.queries.identity import user_tokens, users
from db.queries.identity.users import User

_ASK_ANEW = "Ask for a new one."


@requires(None)
async def verify_email(caller: Caller, token: str) -> User:
    """Proves the address with the mailed token. Repeating it is harmless. Raises LinkOver.

    Of several users of an address the one that is verified first is its user from then on; the others stay unverified
    for good, and their links raise AddressHasAccount.
    """
    now = caller.now()
    async with _proving():
        user, is_used = await _user_of_token(caller, token, VERIFY)
        if is_used and user.email_verified_at is None:
            raise LinkOver(_ASK_ANEW)
        await users.mark_verified(user.id, at=now)
        await user_tokens.use_tokens(user.id, PURPOSES[VERIFY], at=now)
    if user.email_verified_at is None:
        await audit_in_tenants(caller, user, "user.verify_email")
    return replace(user, email_verified_at=user.email_verified_at or now)


@requires(None)
async def request_password_reset(caller: Caller, email: str) -> None:
    """Mails a link to the address if it has an account. The same answer in any case. Raises TooManyAttempts, Invalid.

    The link is for the address's verified user, or else for the newest unverified one.
    """
    await count_host(caller, "request_password_reset")
    address = read_address(email)
    async with even_answer(caller):
        async with shared_transaction(read_only=True):
            user = await users.user_by_key(address.key)
        if user is not None:
            await mail_user(caller, user, SendPasswordReset(user.id))


@requires(None)
async def reset_password(caller: Caller, token: str, new_password: str) -> User:
    """Sets a new password with the mailed token, once, and ends every session of the user in every tenant.

    It proves the address too, and makes the network it is done from a known one. An unverified user may have been made
    by a stranger, so whoever it had let into its tenants is put out of them. Raises LinkOver, AddressHasAccount (another
    user of the address was verified meanwhile), WeakPassword.
    """
    await count_host(caller, "reset_password")
    async with shared_transaction():
        user = await _user_of_living_token(caller, token)
    checked = check_password(new_password, address=user.email, path=("input", "newPassword"))
    password_hash = await caller.resources.port(Passwords).hash(checked)
    network, now = network_of(caller.address), caller.now()
    async with _proving():
        user = await _user_of_living_token(caller, token)
        await user_tokens.use_tokens(user.id, PURPOSES[RESET], at=now)
        known = [] if network == UNKNOWN else [network]
        await users.set_password(user.id, password_hash, networks=known, verified=True, at=now)
    if user.email_verified_at is None:
        await reclaim_tenants(caller, user)
    await audit_in_tenants(caller, user, "user.reset_password", ends_sessions=True)
    await mail_user(caller, user, SendPasswordChanged(user.id))
    return user


@asynccontextmanager
async def _proving() -> AsyncIterator[None]:
    """A shared transaction that verifies a user, or leaves everything as it was and raises AddressHasAccount."""
    try:
        async with shared_transaction():
            yield
    except users.AddressVerified:
        raise AddressHasAccount from None


async def _user_of_living_token(caller: Caller, token: str) -> User:
    user, is_used = await _user_of_token(caller, token, RESET)
    if is_used:
        raise LinkOver(_ASK_ANEW)
    return user


async def _user_of_token(caller: Caller, text: str, kind: str) -> tuple[User, bool]:
    """The token's user, locked, and whether it was used. Raises LinkOver: unknown, wrong, over."""
    token = Token.parse(text, kind)
    row = None if token is None else await user_tokens.lock_token(token.row_id, PURPOSES[kind])
    if token is None or row is None or not secret_matches(token.secret, row.secret_hash):
        raise LinkOver(_ASK_ANEW)
    user = await users.lock_user(row.user_id)
    if user is None or row.expires_at <= caller.now():
        raise LinkOver(_ASK_ANEW)
    return user, row.used_at is not None


@requires(Permission.SESSIONS_MANAGE)
async def change_password(caller: Caller, current_password: str, new_password: str) -> int:
    """Sets a new password and ends all other sessions, in every tenant. Returns how many ended in this one.

    Raises TooManyAttempts, WrongPassword, WeakPassword.
    """
    if caller.session_id is None:
        raise Unauthenticated
    user = await own_user(caller)
    attempt = await prove_password(caller, user, current_password, refusal=WrongPassword("currentPassword"))
    await attempt.forgive()
    checked = check_password(new_password, address=user.email, path=("input", "newPassword"))
    password_hash = await caller.resources.port(Passwords).hash(checked)
    now = caller.now()
    async with shared_transaction():
        locked = await users.lock_user(user.id)
        if locked is None or locked.auth_epoch != user.auth_epoch:
            raise WrongPassword("currentPassword")
        epoch = await users.set_password(user.id, password_hash, networks=locked.known_networks, verified=False, at=now)
    async with caller.transaction():
        ended = await session_rows.revoke_sessions_of(user.id, "password changed", but=caller.session_id, at=now)
        await session_rows.set_session_epoch(caller.session_id, epoch)
        await audit(caller, "user.change_password", object_type="User", object_id=user.id, details={"ended": ended})
        await enqueue(caller, SendPasswordChanged(user.id))
    return ended
