"""Signing in and out, refreshing, switching, and one's own sessions."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.caller import anonymous_caller
from app.core.clock import FixedClock
from app.core.errors import NotFound, Unauthenticated
from app.core.ids import NIL, new_id
from app.core.secrets import Token
from app.identity.access_tokens import AccessTokens
from app.identity.accounts import reset_password
from app.identity.errors import SessionOver, WrongCredentials
from app.identity.passwords import Passwords
from app.identity.sessions import (
    refresh_session,
    revoke_other_sessions,
    revoke_session,
    sessions,
    sessions_by_ids,
    sign_in,
    sign_out,
    switch_tenant,
)
from db.core.transaction import current, shared_transaction, tenant_transaction
from tests.app.identity.conftest import PASSWORD, CountedPasswords, World, new_email
from tests.app.identity.tenants import MadeTenant, actions_of, another_session, snapshot
from tests.app.identity.test_accounts import NEW_PASSWORD, join, reset_token


async def test_sign_in_opens_a_session_in_the_persons_tenant(world: World) -> None:
    user = await world.verified_person()

    entered = await sign_in(world.visitor("198.51.100.7"), user.email.upper(), PASSWORD)

    claims = world.resources.port(AccessTokens).read(entered.tokens.access_token, now=world.resources.clock.now())
    page = await sessions(entered.caller, first=10)
    assert (claims.user_id, claims.tenant_id) == (user.id, user.tenant_hints[0])
    assert [session.id for session in page.items] == [claims.session_id]
    assert page.items[0].address == "198.51.100.7"
    assert entered.workspace is not None
    assert (await actions_of(entered.tenant.id))[-1] == "session.sign_in"
    remembered = await world.user(user.email)
    assert (remembered.last_tenant, remembered.known_networks[0]) == (entered.tenant.id, "198.51.100.0/24")


async def test_unknown_address_and_wrong_password_are_one_answer_after_two_argon2(world: World) -> None:
    user = await world.verified_person()
    before = await snapshot(user.tenant_hints[0])
    answers, runs = [], []

    for email in (user.email, new_email(), "no address at all", ""):
        world.passwords.runs = 0
        with pytest.raises(WrongCredentials) as refused:
            await sign_in(world.visitor(), email, "not her password")
        answers.append((refused.value.message, refused.value.path))
        runs.append(world.passwords.runs)

    assert len(set(answers)) == 1
    assert runs == [2, 2, 2, 2]
    assert await snapshot(user.tenant_hints[0]) == before


async def test_a_giant_password_costs_no_more_than_another(world: World) -> None:
    user = await world.verified_person()
    world.passwords.runs = 0

    with pytest.raises(WrongCredentials):
        await sign_in(world.visitor(), user.email, "x" * 1_000_000)

    assert world.passwords.runs == 2


async def test_the_same_password_typed_in_another_unicode_form_fits(world: World) -> None:
    user = await world.verified_person()
    await reset_password(world.visitor(), await reset_token(world, user.email), "cafe\u0301 orchard fog")

    entered = await sign_in(world.visitor(), user.email, "caf\u00e9 orchard fog")

    assert entered.caller.user_id == user.id


async def test_a_tenant_that_is_not_the_persons_is_not_found_like_one_that_is_not_there(
    world: World, acme: MadeTenant
) -> None:
    user = await world.verified_person()
    before = await snapshot(acme.tenant_id)
    messages = set()

    for tenant_id in (acme.tenant_id, new_id(), NIL):
        with pytest.raises(NotFound) as refused:
            await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=tenant_id)
        messages.add((refused.value.message, refused.value.path))

    assert len(messages) == 1
    assert await snapshot(acme.tenant_id) == before


async def test_the_tenant_last_used_is_entered_and_a_stale_hint_does_no_harm(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    await join(acme, user.id, user.email)
    await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=acme.tenant_id)

    again = await sign_in(world.visitor(), user.email, PASSWORD)
    async with tenant_transaction(acme.tenant_id):
        await current().execute("DELETE FROM memberships WHERE user_id = $1", user.id)
    after_removal = await sign_in(world.visitor(), user.email, PASSWORD)

    assert again.tenant.id == acme.tenant_id
    assert after_removal.tenant.id == user.tenant_hints[0]


async def test_a_hash_with_old_parameters_is_renewed_at_sign_in(world: World) -> None:
    user = await world.verified_person()
    stronger = CountedPasswords(passes=2)
    renewed = replace(world, resources=replace(world.resources, ports={**world.resources.ports, Passwords: stronger}))

    await sign_in(renewed.visitor(), user.email, PASSWORD)

    after = await world.user(user.email)
    assert after.password_hash != user.password_hash
    assert not stronger.is_outdated(after.password_hash)
    assert stronger.runs == 3
    assert (await sign_in(renewed.visitor(), user.email, PASSWORD)).caller.user_id == user.id
    assert stronger.runs == 5
    stronger.close()


async def test_refreshing_rotates_and_the_new_tokens_work(world: World) -> None:
    clock = FixedClock(datetime(2026, 5, 4, tzinfo=UTC))
    timed, user = world.at(clock), await world.verified_person()
    entered = await sign_in(timed.visitor(), user.email, PASSWORD)
    clock.move(600)

    second = await refresh_session(timed.visitor(), entered.tokens.refresh_token)
    third = await refresh_session(timed.visitor(), second.refresh_token)

    assert len({entered.tokens.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert (third.expires_at - clock.now()).total_seconds() == 900
    assert (third.refresh_expires_at - entered.tokens.refresh_expires_at).total_seconds() == 600


async def test_a_refresh_token_used_twice_ends_the_whole_family(world: World) -> None:
    user = await world.verified_person()
    entered = await sign_in(world.visitor(), user.email, PASSWORD)
    unharmed = await sign_in(world.visitor(), user.email, PASSWORD)
    second = await refresh_session(world.visitor(), entered.tokens.refresh_token)

    with pytest.raises(SessionOver):
        await refresh_session(world.visitor(), entered.tokens.refresh_token)

    with pytest.raises(SessionOver):
        await refresh_session(world.visitor(), second.refresh_token)
    assert [each.id for each in (await sessions(unharmed.caller, first=10)).items] == [unharmed.caller.session_id]
    assert (await actions_of(entered.tenant.id))[-1] == "session.reuse_refresh_token"
    assert (await refresh_session(world.visitor(), unharmed.tokens.refresh_token)).access_token


async def test_of_two_refreshes_at_once_one_wins_and_the_family_ends(world: World) -> None:
    user = await world.verified_person()
    entered = await sign_in(world.visitor(), user.email, PASSWORD)

    outcomes = await asyncio.gather(
        *(refresh_session(world.visitor(), entered.tokens.refresh_token) for _ in range(5)), return_exceptions=True
    )

    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(won) == 1
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} == {SessionOver}
    with pytest.raises(SessionOver):
        await refresh_session(world.visitor(), won[0].refresh_token)


@pytest.mark.parametrize("wrong", ["garbage", "secret", "tenant", "row", "kind"])
async def test_a_forged_refresh_token_is_refused_and_harms_nobody(world: World, acme: MadeTenant, wrong: str) -> None:
    user = await world.verified_person()
    entered = await sign_in(world.visitor(), user.email, PASSWORD)
    token = Token.parse(entered.tokens.refresh_token, "refresh")
    assert token is not None
    forged = {
        "garbage": "pm_refresh_x",
        "secret": str(replace(token, secret=token.secret[::-1])),
        "tenant": str(replace(token, tenant_id=acme.tenant_id)),
        "row": str(replace(token, row_id=new_id())),
        "kind": str(replace(token, kind="invite")),
    }[wrong]
    before = await snapshot(entered.tenant.id)

    with pytest.raises(SessionOver):
        await refresh_session(world.visitor(), forged)

    assert await snapshot(entered.tenant.id) == before
    assert (await refresh_session(world.visitor(), entered.tokens.refresh_token)).access_token


@pytest.mark.parametrize(("days_between", "refreshes"), [(31, 0), (29, 6)])
async def test_a_session_ends_unused_after_30_days_and_used_after_180(
    world: World, days_between: int, refreshes: int
) -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    timed, user = world.at(clock), await world.verified_person()
    token = (await sign_in(timed.visitor(), user.email, PASSWORD)).tokens.refresh_token
    for _ in range(refreshes):
        clock.move(days_between * 86_400)
        token = (await refresh_session(timed.visitor(), token)).refresh_token
    clock.move(days_between * 86_400)

    with pytest.raises(SessionOver):
        await refresh_session(timed.visitor(), token)


async def test_signing_out_ends_the_session_and_may_be_repeated(world: World, acme: MadeTenant) -> None:
    await sign_out(acme.owner)
    await sign_out(acme.owner)

    assert (await sessions(acme.owner, first=10)).items == []
    assert await actions_of(acme.tenant_id) == ["session.sign_out"]


async def test_nobody_signs_out_without_a_session(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await sign_out(anonymous_caller(world.resources, "test"))


async def test_sessions_lists_ones_own_living_ones_newest_first_in_pages(acme: MadeTenant) -> None:
    second = await another_session(acme.owner)
    third = await another_session(acme.owner)
    await sign_out(second)

    first_page = await sessions(acme.owner, first=1)
    rest = await sessions(acme.owner, first=5, after=first_page.items[0].id)

    assert ([each.id for each in first_page.items], first_page.has_next) == ([third.session_id], True)
    assert ([each.id for each in rest.items], rest.has_next) == ([acme.owner.session_id], False)


async def test_somebody_elses_session_is_not_found_even_in_the_same_tenant(acme: MadeTenant, other: MadeTenant) -> None:
    before, others = await snapshot(acme.tenant_id), await snapshot(other.tenant_id)

    for stranger in (acme.admin.session_id, other.owner.session_id, new_id()):
        assert stranger is not None
        with pytest.raises(NotFound):
            await revoke_session(acme.owner, stranger)
        assert await sessions_by_ids(acme.owner, [stranger]) == [None]

    assert (await snapshot(acme.tenant_id), await snapshot(other.tenant_id)) == (before, others)


async def test_revoking_one_session_or_all_others(acme: MadeTenant) -> None:
    second, third = await another_session(acme.owner), await another_session(acme.owner)
    assert second.session_id is not None

    revoked = await revoke_session(acme.owner, second.session_id)
    ended = await revoke_other_sessions(acme.owner)

    assert revoked.revoked_at is not None
    assert ended == 1
    assert [each.id for each in (await sessions(third, first=10)).items] == [acme.owner.session_id]
    assert await actions_of(acme.tenant_id) == ["session.revoke", "session.revoke_others"]
    assert len((await sessions(acme.admin, first=10)).items) == 1


async def test_switching_opens_a_session_in_the_other_tenant_and_keeps_this_one(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    await join(acme, user.id, user.email)
    home = await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=user.tenant_hints[0])

    moved = await switch_tenant(home.caller, acme.tenant_id)

    assert moved.tenant.id == acme.tenant_id
    assert moved.caller.role == "member"
    assert (await world.user(user.email)).last_tenant == acme.tenant_id
    assert (await refresh_session(world.visitor(), home.tokens.refresh_token)).access_token
    assert (await actions_of(acme.tenant_id)) == ["session.switch_tenant"]


async def test_switching_to_a_foreign_tenant_is_not_found(acme: MadeTenant, other: MadeTenant) -> None:
    before = await snapshot(other.tenant_id)

    for tenant_id in (other.tenant_id, new_id(), NIL):
        with pytest.raises(NotFound):
            await switch_tenant(acme.owner, tenant_id)

    assert await snapshot(other.tenant_id) == before


async def test_a_session_that_ended_seconds_ago_opens_no_other(world: World, acme: MadeTenant) -> None:
    """The door may still remember the caller; switching asks the database."""
    await sign_out(acme.owner)

    with pytest.raises(Unauthenticated):
        await switch_tenant(acme.owner, acme.tenant_id)


async def test_a_session_opened_with_a_password_that_changed_meanwhile_is_born_dead(world: World) -> None:
    user = await world.verified_person()
    token = await reset_token(world, user.email)
    slow = SlowPasswords()
    slowed = replace(world, resources=replace(world.resources, ports={**world.resources.ports, Passwords: slow}))

    signing_in = asyncio.ensure_future(sign_in(slowed.visitor(), user.email, PASSWORD))
    await slow.reached.wait()
    await reset_password(world.visitor(), token, NEW_PASSWORD)
    slow.go_on.set()
    entered = await signing_in

    with pytest.raises(SessionOver):
        await refresh_session(world.visitor(), entered.tokens.refresh_token)
    assert (await world.user(user.email)).auth_epoch == user.auth_epoch + 1
    assert (await sign_in(world.visitor(), user.email, NEW_PASSWORD)).caller.user_id == user.id
    slow.close()


class SlowPasswords(CountedPasswords):
    """Stops after the password was found right, until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def matches(self, password: str, hashed: str | None) -> bool:
        is_right = await super().matches(password, hashed)
        self.reached.set()
        await self.go_on.wait()
        return is_right


async def test_sessions_that_ended_long_ago_are_cleared_away_at_sign_in(world: World) -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    timed, user = world.at(clock), await world.verified_person()
    await sign_in(timed.visitor(), user.email, PASSWORD)
    clock.move(61 * 86_400)

    await sign_in(timed.visitor(), user.email, PASSWORD)

    async with tenant_transaction(user.tenant_hints[0], read_only=True):
        assert await current().fetchval("SELECT count(*) FROM sessions") == 1
        assert await current().fetchval("SELECT count(*) FROM refresh_tokens") == 1
    async with shared_transaction(read_only=True):
        assert await current().fetchval("SELECT count(*) FROM users WHERE id = $1", user.id) == 1
