"""A person's second factor: setting it up, new recovery codes, turning it off.

It belongs to the login, in every tenant. Only a proved address may have one: otherwise whoever signs up with a stranger's
address could lock the stranger, who takes that user over by mail, out of it.
"""

import secrets
from dataclasses import dataclass

import pyotp

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import WrongState
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.secrets import hash_secret
from app.core.use_case import requires
from app.identity.errors import WrongCode, WrongPassword, WrongPasswordOrCode
from app.identity.jobs import SendTotpChanged, TotpChange
from app.identity.rules.totp_codes import (
    RECOVERY_ALPHABET,
    RECOVERY_CHARACTERS,
    RECOVERY_CODES,
    matching_steps,
    provisioning_uri,
    qr_svg,
    recovery_code,
    typed_code,
)
from app.identity.second_factor import Factor, accept_code, sealed, secret_of
from app.identity.sign_in_limits import Attempt, begin_attempt, count_code
from app.identity.step_up import own_user, prove_password
from app.jobs.outbox import enqueue
from db.core.transaction import shared_transaction
from db.queries.identity import user_totp as queries
from db.queries.identity import users
from db.queries.identity.user_totp import UserRecoveryCode, UserTotp
from db.queries.identity.users import User

_IS_ON = "Two-step sign-in is on already: turn it off first."
_IS_OFF = "Two-step sign-in is not on."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: shown once, and stored sealed."""

    secret: str
    provisioning_uri: str
    qr_svg: str


@requires(Permission.SESSIONS_MANAGE)
async def enroll_totp(caller: Caller, password: str) -> Enrolment:
    """A new secret, which takes the place of an unconfirmed one and does nothing until confirm_totp.

    Raises TooManyAttempts, WrongPassword, WrongState (it is on already, or the address is not proved).
    """
    user = await own_user(caller)
    attempt = await prove_password(caller, user, password, refusal=WrongPassword("password"))
    await attempt.forgive()
    if user.email_verified_at is None:
        raise WrongState("Prove your address first, with the link that was mailed to it.", ("input",))
    secret = pyotp.random_base32()
    async with shared_transaction():
        held = UserTotp(user.id, sealed(caller, user, secret), None, 0, caller.now())
        if not await queries.put_unconfirmed(held):
            raise WrongState(_IS_ON, ("input",))
    async with caller.transaction():
        await audit(caller, "user.enroll_totp", object_type="User", object_id=user.id)
    uri = provisioning_uri(secret, user.email)
    return Enrolment(secret, uri, qr_svg(uri))


@requires(Permission.SESSIONS_MANAGE)
async def confirm_totp(caller: Caller, code: str) -> list[str]:
    """Turns it on with the app's present code, which is used up by it. Answers the recovery codes, this once.

    Sessions go on. Raises TooManyAttempts, WrongState (nothing to confirm), WrongCode.
    """
    user = await own_user(caller)
    attempt = await begin_attempt(caller)
    await count_code(caller, attempt, user.id)
    async with shared_transaction():
        held = await queries.totp_of(user.id)
        if held is None or held.confirmed_at is not None:
            raise WrongState(_IS_ON if held else "Ask for a secret first, with enrollTotp.", ("input",))
        steps = matching_steps(secret_of(caller, held), typed_code(code), at=caller.now())
        if not steps or not await queries.confirm(held, step=steps[0], at=caller.now()):
            raise WrongCode
        codes = await _new_recovery_codes(user)
    await attempt.forgive()
    await _tell(caller, user, "user.confirm_totp", TotpChange.ENABLED)
    return codes


@requires(Permission.SESSIONS_MANAGE)
async def disable_totp(caller: Caller, password: str, code: str) -> None:
    """Turns it off; the recovery codes go with it. `code` may be a recovery code.

    Raises TooManyAttempts, WrongPasswordOrCode, WrongState (it is not on).
    """
    user, attempt = await _step_up(caller, password)
    async with shared_transaction():
        await _use_code(caller, user, code)
        await queries.delete_totp(user.id)
    await attempt.forgive()
    await _tell(caller, user, "user.disable_totp", TotpChange.DISABLED)


@requires(Permission.SESSIONS_MANAGE)
async def regenerate_recovery_codes(caller: Caller, password: str, code: str) -> list[str]:
    """New codes in place of all earlier ones, used or not; shown this once. `code` may be a recovery code.

    Raises TooManyAttempts, WrongPasswordOrCode, WrongState (it is not on).
    """
    user, attempt = await _step_up(caller, password)
    async with shared_transaction():
        await _use_code(caller, user, code)
        codes = await _new_recovery_codes(user)
    await attempt.forgive()
    await _tell(caller, user, "user.regenerate_recovery_codes", TotpChange.CODES_REGENERATED)
    return codes


async def _step_up(caller: Caller, password: str) -> tuple[User, Attempt]:
    user = await own_user(caller)
    attempt = await prove_password(caller, user, password, refusal=WrongPasswordOrCode())
    async with shared_transaction(read_only=True):
        is_on = await queries.has_confirmed_totp(user.id)
    if not is_on:
        await attempt.forgive()
        raise WrongState(_IS_OFF, ("input",))
    await count_code(caller, attempt, user.id)
    return user, attempt


async def _use_code(caller: Caller, user: User, code: str) -> None:
    """Inside the transaction that changes something: rolled back with it. Refuses a password that changed meanwhile."""
    locked = await users.lock_user(user.id)
    if locked is None or locked.auth_epoch != user.auth_epoch:
        raise WrongPasswordOrCode
    if await accept_code(caller, await queries.totp_of(user.id), code) is Factor.NONE:
        raise WrongPasswordOrCode


async def _new_recovery_codes(user: User) -> list[str]:
    """Written as hashes, in place of all earlier ones, into the open shared transaction."""
    plain = [
        "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_CHARACTERS)) for _ in range(RECOVERY_CODES)
    ]
    await queries.replace_recovery_codes(
        user.id, [UserRecoveryCode(new_id(), user.id, hash_secret(each), None) for each in plain]
    )
    return [recovery_code(each) for each in plain]


async def _tell(caller: Caller, user: User, action: str, change: TotpChange) -> None:
    async with caller.transaction():
        await audit(caller, action, object_type="User", object_id=user.id)
        await enqueue(caller, SendTotpChanged(user.id, change))
