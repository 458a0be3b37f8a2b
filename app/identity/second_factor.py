"""The second factor at the door: a code of the authenticator app, or a recovery code in its place, each good once."""

from enum import Enum, auto

from app.core.caller import Caller
from app.core.ids import NIL
from app.core.secrets import hash_secret
from app.identity.account_trail import audit_in_tenants
from app.identity.errors import TotpRequired, WrongCredentials
from app.identity.jobs import SendTotpChanged, TotpChange
from app.identity.rules.totp_codes import matching_steps, typed_code
from app.identity.sign_in_limits import Attempt, count_code
from app.identity.user_mail import mail_user
from db.core.transaction import shared_transaction
from db.queries.identity import user_totp as queries
from db.queries.identity.user_totp import UserTotp
from db.queries.identity.users import User


class Factor(Enum):
    """What was accepted beside the password."""

    NONE = auto()
    TOTP = auto()
    RECOVERY_CODE = auto()


async def prove_second_factor(caller: Caller, attempt: Attempt, user: User, code: str | None) -> None:
    """To be asked after the right password. Forgives the attempt unless a code was given that is not good.

    Does no more for a user who has no second factor. A recovery code that is used up is audited, and mailed to the user:
    whoever used it does not have the app. Raises TotpRequired, WrongCredentials, TooManyAttempts.
    """
    async with shared_transaction(read_only=True):
        held = await queries.totp_of(user.id)
    if held is None or held.confirmed_at is None:
        await attempt.forgive()
        return
    if code is None:
        await attempt.forgive()
        raise TotpRequired
    await count_code(caller, attempt, user.id)
    async with shared_transaction():
        factor = await accept_code(caller, held, code)
    if factor is Factor.NONE:
        raise WrongCredentials
    await attempt.forgive()
    if factor is Factor.RECOVERY_CODE:
        await audit_in_tenants(caller, user, "user.use_recovery_code")
        await mail_user(caller, user, SendTotpChanged(user.id, TotpChange.CODE_USED))


async def accept_code(caller: Caller, held: UserTotp | None, code: str) -> Factor:
    """Uses the code up inside the open shared transaction: of two at once with the same code one is accepted.

    NONE for a code that is wrong or was accepted before, and where there is no second factor.
    """
    if held is None or held.confirmed_at is None:
        return Factor.NONE
    typed = typed_code(code)
    for step in matching_steps(secret_of(caller, held), typed, at=caller.now()):
        if await queries.accept_step(held, step):
            return Factor.TOTP
    if await queries.use_recovery_code(held.user_id, hash_secret(typed), at=caller.now()):
        return Factor.RECOVERY_CODE
    return Factor.NONE


def secret_of(caller: Caller, held: UserTotp) -> str:
    """In base32, as authenticator apps hold it."""
    opened = caller.resources.cipher.open(
        held.sealed_secret, tenant_id=NIL, table="user_totp", column="sealed_secret", row_id=held.user_id
    )
    return opened.decode()


def sealed(caller: Caller, user: User, secret: str) -> bytes:
    """The inverse of secret_of. A user belongs to no tenant, so the nil UUID stands for one."""
    return caller.resources.cipher.seal(
        secret.encode(), tenant_id=NIL, table="user_totp", column="sealed_secret", row_id=user.id
    )
