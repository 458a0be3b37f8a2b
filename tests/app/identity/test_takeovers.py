"""A stranger signs up with somebody's address, before or after them: in no order does he get into their tenant."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.core.caller import Caller, job_caller
from app.core.door import ConnectionFacts
from app.core.errors import DomainError, Unauthenticated
from app.core.permissions import TenantRole
from app.identity.accounts import reset_password, verify_email
from app.identity.door import SessionDoor
from app.identity.errors import AddressHasAccount, LinkOver, WrongCredentials
from app.identity.invitations import invitations, invite_member, send_invitation
from app.identity.joining import accept_invitation
from app.identity.members import change_member_role, members, remove_member
from app.identity.session_opening import SignedIn
from app.identity.sessions import refresh_session, sign_in, switch_tenant
from app.identity.sign_ups import SignUp, sign_up
from app.identity.user_mail import send_verification
from tests.app.identity.conftest import World, new_email
from tests.app.identity.test_accounts import NEW_PASSWORD, reset_token

VICTIMS, ATTACKERS = "the victim's own words", "the attacker's own words"
FACTS = ConnectionFacts(address="192.0.2.9", user_agent="browser", request_id="r1")


async def signed_up(world: World, email: str, password: str) -> SignedIn:
    return await sign_up(world.visitor(), SignUp(email, password, "Vic", "Victims Ltd"))


async def link_for(world: World, entered: SignedIn, email: str) -> str:
    """The code that was mailed for this sign-up."""
    assert entered.caller.user_id is not None
    await send_verification(world.worker, entered.caller.user_id)
    return world.letterbox.token_to(email)


async def tenants_reached(world: World, email: str, attacker: SignedIn, wanted: SignedIn) -> set[str]:
    """By every way in that the attacker has: his session, his password, the victim's tenant named."""
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "refresh": lambda: refresh_session(world.visitor(), attacker.tokens.refresh_token),
        "switch": lambda: switch_tenant(attacker.caller, wanted.tenant.id),
        "sign in": lambda: sign_in(world.visitor(), email, ATTACKERS),
        "sign in there": lambda: sign_in(world.visitor(), email, ATTACKERS, tenant_id=wanted.tenant.id),
        "sign up": lambda: signed_up(world, email, ATTACKERS),
    }
    reached = set()
    for name, way in ways.items():
        try:
            entered = await way()
        except (DomainError, Unauthenticated):
            continue
        if isinstance(entered, SignedIn) and entered.tenant.id == wanted.tenant.id:
            reached.add(name)
    return reached


@pytest.mark.parametrize("order", ["attacker first", "victim first", "after verification", "at once"])
async def test_a_stranger_never_reaches_the_victims_tenant(world: World, order: str) -> None:
    email = new_email()
    if order == "attacker first":
        attacker = await signed_up(world, email, ATTACKERS)
        victim = await signed_up(world, email, VICTIMS)
    elif order == "at once":
        victim, attacker = await asyncio.gather(signed_up(world, email, VICTIMS), signed_up(world, email, ATTACKERS))
    else:
        victim = await signed_up(world, email, VICTIMS)
        if order == "after verification":
            await verify_email(world.visitor(), await link_for(world, victim, email))
        attacker = await signed_up(world, email, ATTACKERS)
    before = await tenants_reached(world, email, attacker, victim)
    if order != "after verification":
        await verify_email(world.visitor(), await link_for(world, victim, email))
    after = await tenants_reached(world, email, attacker, victim)

    assert (before, after) == (set(), set())
    assert (await sign_in(world.visitor(), email, VICTIMS)).tenant == victim.tenant
    assert [row.email for row in (await members(victim.caller, first=9)).items] == [email]


async def test_a_strangers_own_link_is_dead_once_the_address_has_an_account(world: World) -> None:
    email = new_email()
    attacker = await signed_up(world, email, ATTACKERS)
    strangers_link = await link_for(world, attacker, email)
    victim = await signed_up(world, email, VICTIMS)
    await verify_email(world.visitor(), await link_for(world, victim, email))

    with pytest.raises(AddressHasAccount):
        await verify_email(world.visitor(), strangers_link)

    assert (await sign_in(world.visitor(), email, VICTIMS)).tenant == victim.tenant


async def test_a_reset_takes_the_strangers_user_with_everyone_he_let_in(world: World) -> None:
    """The victim never signed up; the attacker did, and made an accomplice an owner who demoted him."""
    email = new_email()
    attacker = await signed_up(world, email, ATTACKERS)
    accomplice = await let_in(world, attacker.caller, TenantRole.OWNER)
    waiting = await invited(world, attacker.caller, new_email())
    own = next(row for row in (await members(accomplice.caller, first=9)).items if row.email == email)
    await change_member_role(accomplice.caller, own.id, TenantRole.MEMBER)

    await reset_password(world.visitor(), await reset_token(world, email), NEW_PASSWORD)

    victim = await sign_in(world.visitor(), email, NEW_PASSWORD)
    assert (victim.tenant, victim.caller.role) == (attacker.tenant, TenantRole.OWNER)
    assert [row.email for row in (await members(victim.caller, first=9)).items] == [email]
    assert [row.state for row in (await invitations(victim.caller, first=9)).items] == ["revoked", "accepted"]
    for each in (attacker, accomplice):
        with pytest.raises(DomainError, match="sign in again"):
            await refresh_session(world.visitor(), each.tokens.refresh_token)
        with pytest.raises(Unauthenticated):
            await SessionDoor(world.resources).admit(f"Bearer {each.tokens.access_token}", FACTS)
    with pytest.raises(LinkOver):
        await accept_invitation(world.visitor(), waiting, name="Mallory", password=ATTACKERS)
    with pytest.raises(WrongCredentials):
        await sign_in(world.visitor(), email, ATTACKERS)
    assert await tenants_reached(world, email, attacker, victim) == set()


async def test_a_reset_of_a_verified_user_puts_nobody_out(world: World) -> None:
    user = await world.verified_person()
    owner = await signed_up(world, user.email, "tulip orchard fog")
    await let_in(world, owner.caller, TenantRole.MEMBER)

    await reset_password(world.visitor(), await reset_token(world, user.email), NEW_PASSWORD)

    back = await sign_in(world.visitor(), user.email, NEW_PASSWORD)
    assert back.tenant == owner.tenant
    assert len((await members(back.caller, first=9)).items) == 2


async def test_a_reset_link_for_a_strangers_user_is_dead_once_another_is_verified(world: World) -> None:
    email = new_email()
    victim = await signed_up(world, email, VICTIMS)
    await signed_up(world, email, ATTACKERS)
    token = await reset_token(world, email)
    await verify_email(world.visitor(), await link_for(world, victim, email))

    with pytest.raises(AddressHasAccount):
        await reset_password(world.visitor(), token, NEW_PASSWORD)

    assert (await sign_in(world.visitor(), email, VICTIMS)).tenant == victim.tenant


async def test_a_reset_finds_a_user_who_was_put_out_of_the_only_tenant(world: World) -> None:
    email = new_email()
    attacker = await signed_up(world, email, ATTACKERS)
    accomplice = await let_in(world, attacker.caller, TenantRole.OWNER)
    own = next(row for row in (await members(accomplice.caller, first=9)).items if row.email == email)
    await remove_member(accomplice.caller, own.id)

    await reset_password(world.visitor(), await reset_token(world, email), NEW_PASSWORD)
    entered = await sign_up(world.visitor(), SignUp(email, NEW_PASSWORD, "Vic", "Victims Ltd"))

    assert entered.tenant.id != attacker.tenant.id
    assert await tenants_reached(world, email, attacker, entered) == set()


async def invited(world: World, owner: Caller, email: str, role: TenantRole = TenantRole.MEMBER) -> str:
    made = await invite_member(owner, email, role)
    await send_invitation(job_caller(world.resources, owner.tenant_id, "test"), made.id)
    return world.letterbox.token_to(email)


async def let_in(world: World, owner: Caller, role: TenantRole) -> SignedIn:
    """Someone new, invited and joined."""
    token = await invited(world, owner, new_email(), role)
    return await accept_invitation(world.visitor(), token, name="Mallory", password=ATTACKERS)
