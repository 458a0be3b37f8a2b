"""Proving the address, changing and resetting passwords; and that nothing tells whether an address is known."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from app.core.clock import FixedClock
from app.core.errors import DomainError
from app.core.ids import new_id
from app.identity.accounts import change_password, request_password_reset, reset_password, verify_email
from app.identity.errors import AddressHasAccount, LinkOver, TooManyAttempts, WrongCredentials, WrongPassword
from app.identity.rules.password_policy import WeakPassword
from app.identity.sessions import refresh_session, sign_in
from app.identity.sign_ups import sign_up
from app.identity.user_mail import (
    PLATFORM,
    send_password_changed,
    send_password_reset,
    send_verification,
    send_verification_to,
)
from db.core.transaction import current, shared_transaction, tenant_transaction
from db.queries.identity import users
from tests.app.identity.conftest import PASSWORD, World, form, mails_waiting_for, new_email
from tests.app.identity.tenants import MadeTenant, actions_of, jobs_of, snapshot

NEW_PASSWORD = "another orchard in the fog"


async def test_answers_take_a_whole_number_of_quanta(world: World) -> None:
    slow = world.with_settings(even_answer_seconds=0.3)
    user = await world.verified_person()
    times = []

    for email in (user.email, new_email()):
        for ask in (request_password_reset(slow.visitor(), email), sign_up(slow.visitor(), form(email, NEW_PASSWORD))):
            started = time.monotonic()
            await ask
            times.append(time.monotonic() - started)

    assert all(each >= 0.3 and each % 0.3 < 0.15 for each in times), times


async def test_the_mailed_code_proves_the_address_and_repeating_it_is_harmless(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email))
    await send_verification_to(world.worker, email)
    token = world.letterbox.token_to(email)

    first = await verify_email(world.visitor(), token)
    second = await verify_email(world.visitor(), token)

    user = await world.user(email)
    assert user.email_verified_at == first.email_verified_at == second.email_verified_at
    assert user.email_verified_at is not None
    assert await actions_of(user.tenant_hints[0]) == ["tenant.sign_up", "session.sign_up", "user.verify_email"]
    assert f"/verify-email#token={token}" in world.letterbox.mails[-1].text


async def test_of_two_verifications_of_one_address_at_once_one_wins_and_the_other_never_will(world: World) -> None:
    email, tokens = new_email(), []
    for word in ("first", "second", "third"):
        await sign_up(world.visitor(), form(email, f"the {word} sign-up"))
        await send_verification_to(world.worker, email)
        tokens.append(world.letterbox.token_to(email))

    outcomes = await asyncio.gather(*(verify_email(world.visitor(), token) for token in tokens), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AddressHasAccount", "AddressHasAccount", "User"]
    for token, outcome in zip(tokens, outcomes, strict=True):
        if isinstance(outcome, AddressHasAccount):
            with pytest.raises(AddressHasAccount, match="sign in instead"):
                await verify_email(world.visitor(), token)
    async with shared_transaction(read_only=True):
        count = "SELECT count(*) FROM users WHERE email_key = $1 AND email_verified_at IS NOT NULL"
        assert await current().fetchval(count, email) == 1


@pytest.mark.parametrize("change", ["garbage", "secret", "kind", "over"])
async def test_a_wrong_code_proves_nothing(world: World, change: str) -> None:
    clock = FixedClock(datetime(2026, 5, 4, tzinfo=UTC))
    timed, email = world.at(clock), new_email()
    await sign_up(timed.visitor(), form(email))
    await send_verification_to(timed.worker, email)
    token = world.letterbox.token_to(email)
    wrong = {
        "garbage": "pm_verify_nonsense",
        "secret": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "kind": token.replace("pm_verify_", "pm_reset_"),
        "over": token,
    }[change]
    clock.move(2 * 86_400 if change == "over" else 0)

    with pytest.raises(LinkOver):
        await verify_email(timed.visitor(), wrong)

    assert (await world.user(email)).email_verified_at is None


async def test_a_verified_user_gets_no_more_verification_mails(world: World) -> None:
    user = await world.verified_person()
    world.letterbox.mails.clear()

    await send_verification(world.worker, user.id)
    await send_verification(world.worker, new_id())

    assert world.letterbox.mails == []


async def test_asking_for_a_reset_answers_the_same_for_known_and_unknown(world: World) -> None:
    user = await world.verified_person()

    await request_password_reset(world.visitor(), new_email())  # no refusal, and no more than that
    await request_password_reset(world.visitor(), user.email)

    assert (await mails_waiting_for(user.id))[-1] == "user.send_password_reset"
    assert "user.send_password_reset" not in await jobs_of(user.tenant_hints[0])


async def test_a_reset_is_for_the_verified_user_and_else_for_the_newest(world: World) -> None:
    user = await world.verified_person()
    newer = await sign_up(world.visitor(), form(user.email, "somebody else's words"))
    email = new_email()
    first, second = [await sign_up(world.visitor(), form(email, f"the {word} sign-up")) for word in ("first", "second")]

    for address in (user.email, email):
        await request_password_reset(world.visitor(), address)

    assert newer.caller.user_id != user.id
    assert (await mails_waiting_for(user.id))[-1] == "user.send_password_reset"
    assert second.caller.user_id is not None
    assert (await world.user(email)).id == second.caller.user_id != first.caller.user_id
    assert "user.send_password_reset" in await mails_waiting_for(second.caller.user_id)


async def test_nobody_fills_a_strangers_mailbox(world: World) -> None:
    user = await world.verified_person()

    for number in range(8):
        await request_password_reset(world.visitor(), user.email)
        await sign_up(world.visitor(), form(user.email, f"somebody else's words {number}"))
        async with tenant_transaction(PLATFORM.id):
            await current().execute("UPDATE jobs SET dedupe_key = NULL")

    async with shared_transaction(read_only=True):
        rows = await current().fetch("SELECT id FROM users WHERE email_key = $1", user.email_key)
    kinds = [kind for row in rows for kind in await mails_waiting_for(row["id"])]
    assert (kinds.count("user.send_password_reset"), kinds.count("user.send_verification")) == (5, 5)


async def reset_token(world: World, email: str) -> str:
    await send_password_reset(world.worker, (await world.user(email)).id)
    return world.letterbox.token_to(email)


async def test_reset_sets_the_password_once_and_ends_every_session_in_every_tenant(
    world: World, acme: MadeTenant
) -> None:
    user = await world.verified_person()
    await join(acme, user.id, user.email)
    here = await sign_in(world.visitor(), user.email, PASSWORD)
    there = await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=acme.tenant_id)
    token = await reset_token(world, user.email)

    await reset_password(world.visitor(), token, NEW_PASSWORD)

    for tokens in (here.tokens, there.tokens):
        with pytest.raises(DomainError, match="sign in again"):
            await refresh_session(world.visitor(), tokens.refresh_token)
    with pytest.raises(LinkOver):
        await reset_password(world.visitor(), token, "and yet another orchard")
    with pytest.raises(WrongCredentials):
        await sign_in(world.visitor(), user.email, PASSWORD)
    assert (await sign_in(world.visitor(), user.email, NEW_PASSWORD)).caller.user_id == user.id
    assert "user.reset_password" in await actions_of(acme.tenant_id)


async def join(acme: MadeTenant, user_id: object, email: str) -> None:
    async with shared_transaction():
        await current().execute(
            "UPDATE users SET tenant_hints = array_append(tenant_hints, $2) WHERE id = $1", user_id, acme.tenant_id
        )
    async with tenant_transaction(acme.tenant_id):
        await current().execute(
            "INSERT INTO memberships SELECT tenant_id, $2, $1, 'member', $3, 'Ada', 1, created_at, created_at "
            "FROM memberships LIMIT 1",
            user_id,
            new_id(),
            email,
        )


async def test_reset_holds_for_tenants_that_no_hint_names(world: World, acme: MadeTenant) -> None:
    """The epoch ends sessions wherever they are: nothing depends on a list being complete."""
    user = await world.verified_person()
    await join(acme, user.id, user.email)
    there = await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=acme.tenant_id)
    async with shared_transaction():
        await users.remove_tenant_hint(user.id, acme.tenant_id, at=world.resources.clock.now())

    await reset_password(world.visitor(), await reset_token(world, user.email), NEW_PASSWORD)

    with pytest.raises(DomainError, match="sign in again"):
        await refresh_session(world.visitor(), there.tokens.refresh_token)


async def test_a_reset_link_lives_one_hour(world: World) -> None:
    clock = FixedClock(datetime(2026, 5, 4, tzinfo=UTC))
    user = await world.verified_person()
    timed = world.at(clock)
    token = await reset_token(timed, user.email)
    clock.move(3600)

    with pytest.raises(LinkOver):
        await reset_password(timed.visitor(), token, NEW_PASSWORD)

    assert (await world.user(user.email)).password_hash == user.password_hash


async def test_a_weak_new_password_leaves_the_link_good(world: World) -> None:
    user = await world.verified_person()
    token = await reset_token(world, user.email)

    with pytest.raises(WeakPassword):
        await reset_password(world.visitor(), token, "password1234")
    await reset_password(world.visitor(), token, NEW_PASSWORD)

    assert (await world.user(user.email)).auth_epoch == user.auth_epoch + 1


async def test_one_reset_link_used_twice_at_once_works_once(world: World) -> None:
    user = await world.verified_person()
    token = await reset_token(world, user.email)

    outcomes = await asyncio.gather(
        reset_password(world.visitor(), token, "the first new password"),
        reset_password(world.visitor(), token, "the second new password"),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LinkOver", "User"]
    assert (await world.user(user.email)).auth_epoch == user.auth_epoch + 1


async def test_of_two_resets_of_one_address_at_once_one_verifies(world: World) -> None:
    email = new_email()
    tokens = []
    for word in ("first", "second"):
        await sign_up(world.visitor(), form(email, f"the {word} sign-up"))
        tokens.append(await reset_token(world, email))

    outcomes = await asyncio.gather(
        *(reset_password(world.visitor(), token, NEW_PASSWORD) for token in tokens), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AddressHasAccount", "User"]
    async with shared_transaction(read_only=True):
        epochs = await current().fetch("SELECT auth_epoch FROM users WHERE email_key = $1 ORDER BY 1", email)
    assert [row["auth_epoch"] for row in epochs] == [1, 2]


async def test_change_password_keeps_this_session_and_ends_all_others(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    await join(acme, user.id, user.email)
    mine = await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=user.tenant_hints[0])
    other = await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=user.tenant_hints[0])
    elsewhere = await sign_in(world.visitor(), user.email, PASSWORD, tenant_id=acme.tenant_id)

    ended = await change_password(mine.caller, PASSWORD, NEW_PASSWORD)

    assert ended == 1
    for tokens in (other.tokens, elsewhere.tokens):
        with pytest.raises(DomainError, match="sign in again"):
            await refresh_session(world.visitor(), tokens.refresh_token)
    assert (await refresh_session(world.visitor(), mine.tokens.refresh_token)).access_token
    assert (await jobs_of(user.tenant_hints[0]))[-1] == "user.send_password_changed"


async def test_change_password_with_a_wrong_present_one_changes_nothing(world: World) -> None:
    user = await world.verified_person()
    mine = await sign_in(world.visitor(), user.email, PASSWORD)
    before, user = await snapshot(mine.tenant.id), await world.user(user.email)

    with pytest.raises(WrongPassword):
        await change_password(mine.caller, "not her password", NEW_PASSWORD)
    with pytest.raises(WeakPassword):
        await change_password(mine.caller, PASSWORD, "short")

    assert await snapshot(mine.tenant.id) == before
    assert await world.user(user.email) == user


async def test_guessing_the_present_password_is_limited(world: World) -> None:
    user = await world.verified_person()
    mine = await sign_in(world.with_settings(sign_in_attempts_per_minute=2).visitor(), user.email, PASSWORD)

    for _ in range(2):
        with pytest.raises(WrongPassword):
            await change_password(mine.caller, "not her password", NEW_PASSWORD)
    with pytest.raises(TooManyAttempts):
        await change_password(mine.caller, PASSWORD, NEW_PASSWORD)


async def test_a_changed_password_is_told_by_mail(world: World) -> None:
    user = await world.verified_person()

    await send_password_changed(world.worker, user.id)

    assert world.letterbox.mails[-1].subject == "Your password was changed"
