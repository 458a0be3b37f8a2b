"""Limits on guessing passwords, made so that a guesser slows himself down and never locks the person out for good.

With N = `sign_in_attempts_per_minute`:

1. One host (an IPv4 address, an IPv6 /64) has N wrong attempts a minute, over all accounts.
2. One account has N wrong attempts a minute from one network (IPv4 /24, IPv6 /48).
3. One account has N wrong attempts, and then N more over every hour, from all those networks together from which the
   person has not signed in before. Networks of earlier sign-ins (the last eight) are not counted here and not held by it.
4. One user has N wrong codes of the second factor, and then N more over every hour, from anywhere. They are counted
   only after the right password or in a session, so nobody without them can use these up; who loses them to a guesser
   sets a new password by mail, which ends sessions and puts the guesser before the password again.

So a guesser elsewhere, with however many addresses, uses up only his own hosts (1), his own networks (2) and the share
for unknown networks (3): whoever knows the password still enters at once from where they entered before. Someone on the
road, whose network is new while such an attack runs, sets a new password by mail: that proves the person, and the
network it is done from becomes a known one.

Attempts are taken before the password is looked at (so that many at once do not slip through) and given back when it was
a verified user's, and the code, where one is needed, was right as well; asking without a code, to hear that one is
needed, is no guess and is given back. An account that does not exist is limited in the same way, so limits tell nothing either.

An unverified user's right password gives nothing back, and its networks never become known ones: otherwise whoever signed
up with a stranger's address could guess for ever by changing his own password to each guess, or learn from the limits
whether the address has a verified user.

Signing up looks passwords up too, so its guesses are counted by rules 2 and 3, in a share of their own. There the limits
refuse nobody: when they are used up, signUp compares with nobody's password and makes another user.
"""

from dataclasses import dataclass, field
from uuid import UUID

from app.core.caller import Caller
from app.core.rate_limits import Limit, RateLimits
from app.identity.errors import TooManyAttempts
from app.identity.rules.networks import host_of, network_of

HOUR, MINUTE = 3600.0, 60.0
_RESET_ADVICE = " Or set a new password by mail: that works from here at once."
_CODE_ADVICE = " If these attempts were not yours, somebody knows your password: set a new one by mail."
MAILS_PER_HOUR = 5


@dataclass(slots=True)
class Attempt:
    """One guess, counted; `forgive` when it was right."""

    limits: RateLimits
    taken: list[tuple[Limit, str]] = field(default_factory=list)

    async def take(self, limit: Limit, key: str, *, advice: str = "") -> None:
        """Raises TooManyAttempts."""
        wait_seconds = await self.limits.take(limit, key)
        if wait_seconds > 0:
            raise TooManyAttempts(wait_seconds, advice=advice)
        self.taken.append((limit, key))

    async def forgive(self) -> None:
        while self.taken:
            await self.limits.give_back(*self.taken.pop())


async def begin_attempt(caller: Caller) -> Attempt:
    """Counts the host's attempt (rule 1), before anything is looked up. Raises TooManyAttempts."""
    attempt = Attempt(caller.resources.port(RateLimits))
    count = caller.resources.settings.sign_in_attempts_per_minute
    await attempt.take(Limit("sign_in.host", count, MINUTE), host_of(caller.address))
    return attempt


async def count_against_account(
    caller: Caller, attempt: Attempt, account: str, known_networks: list[str], *, operation: str = "sign_in"
) -> None:
    """Rules 2 and 3. `account` is the address's key, of a user or of nobody. Raises TooManyAttempts."""
    count = caller.resources.settings.sign_in_attempts_per_minute
    network = network_of(caller.address)
    await attempt.take(Limit(f"{operation}.network", count, MINUTE), f"{account} {network}")
    if network not in known_networks:
        await attempt.take(Limit(f"{operation}.unknown", count, HOUR), account, advice=_RESET_ADVICE)


async def count_code(caller: Caller, attempt: Attempt, user_id: UUID) -> None:
    """Rule 4, before the code is looked at. Raises TooManyAttempts."""
    count = caller.resources.settings.sign_in_attempts_per_minute
    await attempt.take(Limit("totp.code", count, HOUR), str(user_id), advice=_CODE_ADVICE)


async def quiet_attempt(caller: Caller, account: str, known_networks: list[str]) -> Attempt | None:
    """One guess by signing up, counted; None when no more guesses are allowed, which the person must not be told."""
    attempt = Attempt(caller.resources.port(RateLimits))
    try:
        await count_against_account(caller, attempt, account, known_networks, operation="sign_up")
    except TooManyAttempts:
        return None
    return attempt


async def count_host(caller: Caller, operation: str) -> None:
    """Other operations that are open to everyone: N a minute for each host. Raises TooManyAttempts."""
    attempt = Attempt(caller.resources.port(RateLimits))
    count = caller.resources.settings.sign_in_attempts_per_minute
    await attempt.take(Limit(f"{operation}.host", count, MINUTE), host_of(caller.address))


async def may_mail(caller: Caller, kind: str, account: str) -> bool:
    """Whether one more mail of this kind may go to this address: nobody fills a stranger's mailbox through us.

    Kinds are counted apart, so that strangers who sign up with an address cannot use up its mails for new passwords.
    """
    return await caller.resources.port(RateLimits).take(Limit(f"mail.{kind}", MAILS_PER_HOUR, HOUR), account) == 0
