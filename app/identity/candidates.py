"""Whose password a typed one may be: the verified user of an address, or the newest unverified one.

Anybody can sign up with anybody's address, so an unverified user is worth nothing to others: it never stands in the way
of the verified one, and among unverified ones only the newest is tried. Older ones keep the sessions that they have and
can still be verified by the link that was mailed for them.
"""

import asyncio
from dataclasses import dataclass

from app.core.caller import Caller
from app.identity.passwords import Passwords
from app.identity.rules.password_policy import normalized_password
from db.core.transaction import shared_transaction
from db.queries.identity import users
from db.queries.identity.users import User

LONGEST_TYPED_PASSWORD = 1_024


@dataclass(frozen=True, slots=True)
class Candidates:
    """Either may be missing, or both."""

    verified: User | None
    unverified: User | None

    @property
    def known_networks(self) -> list[str]:
        """Of the verified user only: nobody makes his own networks known for an address that he has not proved."""
        return [] if self.verified is None else self.verified.known_networks

    @property
    def next_sign_up_number(self) -> int:
        return 1 + max((user.sign_up_number for user in (self.verified, self.unverified) if user), default=0)


NOBODY = Candidates(None, None)


async def candidates_of(email_key: str) -> Candidates:
    """Reads them in a transaction of its own."""
    async with shared_transaction(read_only=True):
        found = await users.users_by_key(email_key)
    return Candidates(
        next((user for user in found if user.email_verified_at is not None), None),
        next((user for user in found if user.email_verified_at is None), None),
    )


async def fitting(caller: Caller, candidates: Candidates, typed: str) -> list[User]:
    """Those whose password it is, the verified user first. Two argon2 in any case, for users who are not there too."""
    password = normalized_password(typed) if len(typed) <= LONGEST_TYPED_PASSWORD else ""
    both = (candidates.verified, candidates.unverified)
    matches = caller.resources.port(Passwords).matches
    fits = await asyncio.gather(*(matches(password, None if user is None else user.password_hash) for user in both))
    return [user for user, is_right in zip(both, fits, strict=True) if user is not None and is_right]
