"""Signing up: always a working session, in a tenant of one's own.

Nothing tells whether the address has an account: whoever knows no password of it gets a user, a tenant and a session like
anybody else. Only the mail to the address differs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import DomainError, Problems
from app.core.ids import new_id
from app.core.use_case import requires
from app.identity.candidates import NOBODY, candidates_of, fitting
from app.identity.even_answers import even_answer
from app.identity.jobs import SendVerification
from app.identity.passwords import Passwords
from app.identity.rules.addresses import Address, read_address
from app.identity.rules.names import read_name
from app.identity.rules.networks import network_of, remembered
from app.identity.rules.password_policy import check_password
from app.identity.session_opening import SignedIn, enter, tenants_to_try
from app.identity.sign_in_limits import count_host, quiet_attempt
from app.identity.tenant_making import make_tenant
from app.identity.user_mail import mail_user
from db.core.transaction import shared_transaction, tenant_transaction
from db.queries.identity import memberships, user_totp, users
from db.queries.identity.tenants import Tenant
from db.queries.identity.users import User

MOST_COMPARISONS = 3
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SignUp:
    """What a person types to begin."""

    email: str
    password: str
    name: str
    tenant_name: str


@dataclass(frozen=True, slots=True)
class _Checked:
    address: Address
    password: str
    name: str
    tenant_name: str


@requires(None)
async def sign_up(caller: Caller, form: SignUp) -> SignedIn:
    """Makes an unverified user, a tenant and its first workspace, opens a session there, and mails the address.

    A password that fits the address's verified user, or its newest unverified one, enters that user's own tenant instead,
    as sign_in does, and finishes what a crash left undone; not for a user with a second factor, who signs in. Any other
    password makes another, separate user, also where the address has an account. An unverified user may work; the mailed link verifies it unless another one was first.
    Three argon2 in any case, and the same rows. Raises Problems (one per field), TooManyAttempts.
    """
    await count_host(caller, "sign_up")
    checked = _check(form)
    async with even_answer(caller):
        user = await _user_for(caller, checked)
        entered = await _enter_home(caller, user, checked.tenant_name)
        if user.email_verified_at is None:
            await mail_user(caller, user, SendVerification(user.id))
        return entered


def _check(form: SignUp) -> _Checked:
    problems: list[DomainError] = []

    def checked(check: Callable[[], Value], fallback: Value) -> Value:
        try:
            return check()
        except DomainError as error:
            problems.append(error)
            return fallback

    address = checked(lambda: read_address(form.email), Address("", "?"))
    password = checked(lambda: check_password(form.password, address=address.email or form.email), "")
    name = checked(lambda: read_name(form.name, ("input", "name")), "")
    tenant_name = checked(lambda: read_name(form.tenant_name, ("input", "tenantName"), what="tenant name"), "")
    if problems:
        raise Problems(problems)
    return _Checked(address, password, name, tenant_name)


async def _user_for(caller: Caller, checked: _Checked) -> User:
    """The user whose password it is, or a new one.

    The number of a new user is taken once: whoever lost a race for it compares again, with the user who won. Among many
    at once who all lose again and again, it goes on without comparing, so that nobody waits for strangers.
    """
    password_hash = await caller.resources.port(Passwords).hash(checked.password)
    known = await candidates_of(checked.address.key)
    attempt = await quiet_attempt(caller, checked.address.key, known.known_networks)
    comparisons = 0
    while True:
        if comparisons < MOST_COMPARISONS:
            comparisons += 1
            fits = await _enterable(await fitting(caller, NOBODY if attempt is None else known, checked.password))
            if fits:
                if attempt is not None and fits[0].email_verified_at is not None:
                    await attempt.forgive()
                return fits[0]
        made = _new_user(caller, checked, password_hash, number=known.next_sign_up_number)
        async with shared_transaction():
            if await users.insert_user(made):
                return made
        known = await candidates_of(checked.address.key)


async def _enterable(fits: list[User]) -> list[User]:
    """Without those who have a second factor: signing up asks for no code, so for it their password fits nobody."""
    async with shared_transaction(read_only=True):
        return [user for user in fits if not await user_totp.has_confirmed_totp(user.id)]


def _new_user(caller: Caller, checked: _Checked, password_hash: str, *, number: int) -> User:
    """The tenant's id is chosen here and kept as a hint, so that a second attempt finishes the same tenant."""
    now = caller.now()
    return User(
        id=new_id(),
        email=checked.address.email,
        email_key=checked.address.key,
        display_name=checked.name,
        password_hash=password_hash,
        auth_epoch=1,
        email_verified_at=None,
        tenant_hints=[new_id()],
        last_tenant=None,
        known_networks=[],
        created_at=now,
        updated_at=now,
        sign_up_number=number,
    )


async def _enter_home(caller: Caller, user: User, tenant_name: str) -> SignedIn:
    home = await _home_of(caller, user, tenant_name)
    entered = await enter(caller, user, home, auth_epoch=user.auth_epoch, action="session.sign_up")
    if entered is None:  # put out of it between the two transactions
        home = await _new_home(caller, user, tenant_name)
        entered = await enter(caller, user, home, auth_epoch=user.auth_epoch, action="session.sign_up")
    if entered is None:
        raise RuntimeError("a tenant was made, and its owner is no member")
    networks = remembered(user.known_networks, network_of(caller.address))
    async with shared_transaction():
        await users.remember_sign_in(user, home, networks, password_hash=user.password_hash, at=caller.now())
    return entered


async def _home_of(caller: Caller, user: User, tenant_name: str) -> UUID:
    """A tenant that the person is a member of; made where a crash, or their removal, left none."""
    for tenant_id in tenants_to_try(user):
        async with tenant_transaction(tenant_id):
            # Makes first and asks then: whoever waited for another attempt's commit sees its membership.
            is_made = await make_tenant(caller, Tenant(tenant_id, tenant_name), user)
            if is_made or await memberships.membership_of_user(user.id) is not None:
                return tenant_id
    return await _new_home(caller, user, tenant_name)


async def _new_home(caller: Caller, user: User, tenant_name: str) -> UUID:
    tenant_id = new_id()
    async with shared_transaction():
        await users.add_tenant_hint(user.id, tenant_id, at=caller.now())
    async with tenant_transaction(tenant_id):
        await make_tenant(caller, Tenant(tenant_id, tenant_name), user)
    return tenant_id
