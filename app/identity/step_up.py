"""Proving oneself again before a change that a stolen session must not make."""

from app.core.caller import Caller, CallerKind
from app.core.errors import DomainError, Unauthenticated
from app.identity.candidates import LONGEST_TYPED_PASSWORD
from app.identity.passwords import Passwords
from app.identity.rules.password_policy import normalized_password
from app.identity.sign_in_limits import Attempt, begin_attempt, count_against_account
from db.core.transaction import shared_transaction
from db.queries.identity import users
from db.queries.identity.users import User


async def own_user(caller: Caller) -> User:
    """The person who calls. Raises Unauthenticated for a caller that is none."""
    if caller.kind is not CallerKind.USER or caller.user_id is None:
        raise Unauthenticated
    async with shared_transaction(read_only=True):
        user = await users.user_by_id(caller.user_id)
    if user is None:
        raise Unauthenticated
    return user


async def prove_password(caller: Caller, user: User, password: str, *, refusal: DomainError) -> Attempt:
    """Counts as an attempt to sign in, to be forgiven by who asks once nothing more is to be guessed.

    Raises TooManyAttempts, or `refusal` when it is not the password.
    """
    attempt = await begin_attempt(caller)
    await count_against_account(caller, attempt, user.email_key, user.known_networks)
    typed = normalized_password(password[:LONGEST_TYPED_PASSWORD])
    if not await caller.resources.port(Passwords).matches(typed, user.password_hash):
        raise refusal
    return attempt
