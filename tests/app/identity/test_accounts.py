"""Signing up, proving the address, changing and resetting passwords; and that nothing tells whether an address is known."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from app.core.clock import FixedClock
from app.core.errors import DomainError, Problems
from app.core.ids import new_id
from app.identity.accounts import (
    SignUp,
    change_password,
    request_password_reset,
    reset_password,
    sign_up,
    verify_email,
)
from app.identity.errors import EmailNotVerified, LinkOver, TooManyAttempts, WrongCredentials, WrongPassword
from app.identity.rules.password_policy import WeakPassword
from app.identity.sessions import refresh_session, sign_in
from app.identity.user_mail import (
    send_account_exists,
    send_password_changed,
    send_password_reset,
    send_verification,
    send_verification_to,
)
from db.core.transaction import current, shared_transaction, tenant_transaction
from db.queries.identity import memberships, tenants, users, workspaces
from tests.app.identity.conftest import PASSWORD, World, new_email
from tests.app.identity.tenants import MadeTenant, actions_of, jobs_of, snapshot, topics_of

NEW_PASSWORD = "another orchard in the fog"


def form(email: str, password: str = PASSWORD) -> SignUp:
    return SignUp(email, password, "Ada Lovelace", "Analytical Engines")


async def test_sign_up_makes_user_tenant_owner_workspace_and_a_verification_job(world: World) -> None:
    email = new_email()

    answer = await sign_up(world.visitor(), form(email))

    user = await world.user(email)
    tenant_id = user.tenant_hints[0]
    async with tenant_transaction(tenant_id, read_only=True):
        tenant, settings = await tenants.tenant(), await tenants.settings()
        member = await memberships.member_by_user(user.id)
        workspace = await workspaces.first_workspace(visible=None)
    assert answer is None
    assert tenant is not None
    assert tenant.name == "Analytical Engines"
    assert settings is not None
    assert (settings.postal_address, settings.time_zone, settings.version) == ("", "UTC", 1)
    assert member is not None
    assert (member.role, member.email, member.display_name) == ("owner", email, "Ada Lovelace")
    assert workspace is not None
    assert (workspace.name, workspace.slug) == ("Analytical Engines", "analytical-engines")
    assert user.email_verified_at is None
    assert await jobs_of(tenant_id) == ["user.send_verification"]
    assert await topics_of(tenant_id) == ["workspace.created"]
    assert await actions_of(tenant_id) == ["tenant.sign_up"]


async def test_every_wrong_field_is_named_at_once_and_nothing_is_made(world: World) -> None:
    email = new_email()

    with pytest.raises(Problems) as refused:
        await sign_up(world.visitor(), SignUp(email, "short", " ", "Evil\nBcc: x@y.example"))

    assert [(part.path[1], part.code) for part in refused.value.parts()] == [
        ("password", "WEAK_PASSWORD"),
        ("name", "REQUIRED"),
        ("tenantName", "INVALID"),
    ]
    assert await world.user_or_none(email) is None
    assert world.passwords.runs == 0


async def test_an_existing_address_gets_the_same_answer_and_a_mail_instead(world: World) -> None:
    user = await world.verified_person()
    before = await snapshot(user.tenant_hints[0])
    world.passwords.runs = 0

    answer = await sign_up(world.visitor(), form(user.email, "not her password at all"))
    known_runs, world.passwords.runs = world.passwords.runs, 0
    new_answer = await sign_up(world.visitor(), form(new_email()))

    after = await snapshot(user.tenant_hints[0])
    assert answer == new_answer
    assert known_runs == world.passwords.runs == 1
    assert (await jobs_of(user.tenant_hints[0]))[-1] == "user.send_account_exists"
    assert {table for table in after if after[table] != before[table]} == {"jobs"}
    assert await world.user(user.email) == user


async def test_the_mail_for_an_existing_account_holds_no_link_that_signs_in(world: World) -> None:
    user = await world.verified_person()
    world.letterbox.mails.clear()

    await send_account_exists(world.worker, user.id)

    mail = world.letterbox.mails[0]
    assert (mail.to, mail.subject) == (user.email, "You already have an account")
    assert "pm_" not in mail.text


async def test_a_second_sign_up_with_the_same_password_finishes_what_a_crash_left(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email))
    user = await world.user(email)
    crashed = new_id()
    async with shared_transaction():
        await current().execute("UPDATE users SET tenant_hints = $2 WHERE id = $1", user.id, [crashed])

    await asyncio.gather(*(sign_up(world.visitor(), form(email)) for _ in range(3)))

    async with tenant_transaction(crashed, read_only=True):
        tenant = await tenants.tenant()
        page = await memberships.members(first=10, after=None)
        rooms = await workspaces.workspaces(visible=None, archived=True, first=10, after=None)
    assert tenant is not None
    assert [member.user_id for member in page.items] == [user.id]
    assert len(rooms.items) == 1


async def test_with_another_password_a_crashed_sign_up_is_not_finished(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email))
    user = await world.user(email)
    crashed = new_id()
    async with shared_transaction():
        await current().execute("UPDATE users SET tenant_hints = $2 WHERE id = $1", user.id, [crashed])

    await sign_up(world.visitor(), form(email, "somebody else's words"))

    async with tenant_transaction(crashed, read_only=True):
        assert await tenants.tenant() is None


async def test_two_sign_ups_at_once_with_one_address_make_one_user_and_one_tenant(world: World) -> None:
    email = new_email()

    await asyncio.gather(*(sign_up(world.visitor(), form(email)) for _ in range(4)))

    user = await world.user(email)
    async with tenant_transaction(user.tenant_hints[0], read_only=True):
        page = await memberships.members(first=10, after=None)
    assert len(user.tenant_hints) == 1
    assert [member.user_id for member in page.items] == [user.id]


async def test_answers_take_a_whole_number_of_quanta(world: World) -> None:
    slow = world.with_settings(even_answer_seconds=0.3)
    user = await world.verified_person()
    times = []

    for email in (user.email, new_email()):
        started = time.monotonic()
        await request_password_reset(slow.visitor(), email)
        times.append(time.monotonic() - started)

    assert all(each >= 0.3 and each % 0.3 < 0.15 for each in times), times


async def test_where_addresses_need_no_proof_sign_up_opens_a_session_for_the_right_password_only(world: World) -> None:
    open_world = world.with_settings(verify_addresses=False)
    email = new_email()

    entered = await sign_up(open_world.visitor(), form(email))
    again = await sign_up(open_world.visitor(), form(email))
    refused = await sign_up(open_world.visitor(), form(email, "somebody else's words"))
    signed_in = await sign_in(open_world.visitor(), email, PASSWORD)

    assert entered is not None
    assert again is not None
    assert again.tenant == entered.tenant == signed_in.tenant
    assert refused is None


async def test_signing_in_needs_the_address_proved_and_says_so_only_after_the_right_password(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email))
    tenant_id = (await world.user(email)).tenant_hints[0]

    with pytest.raises(WrongCredentials):
        await sign_in(world.visitor(), email, "not her password")
    with pytest.raises(EmailNotVerified):
        await sign_in(world.visitor(), email, PASSWORD)

    async with tenant_transaction(tenant_id, read_only=True):
        assert await current().fetchval("SELECT count(*) FROM sessions") == 0


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
    assert await actions_of(user.tenant_hints[0]) == ["tenant.sign_up", "user.verify_email"]
    assert f"/verify-email#token={token}" in world.letterbox.mails[-1].text


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

    assert (await jobs_of(user.tenant_hints[0]))[-1] == "user.send_password_reset"


async def test_nobody_fills_a_strangers_mailbox(world: World) -> None:
    user = await world.verified_person()
    async with tenant_transaction(user.tenant_hints[0]):
        await current().execute("DELETE FROM jobs")

    for _ in range(8):
        await request_password_reset(world.visitor(), user.email)
        async with tenant_transaction(user.tenant_hints[0]):
            await current().execute("UPDATE jobs SET dedupe_key = NULL")

    assert len(await jobs_of(user.tenant_hints[0])) == 4  # of five an hour, the sign-up took one


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


async def test_a_reset_proves_the_address_and_takes_it_from_whoever_signed_up_with_it(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email, "the squatter's own words"))

    await reset_password(world.visitor(), await reset_token(world, email), NEW_PASSWORD)

    assert (await world.user(email)).email_verified_at is not None
    with pytest.raises(WrongCredentials):
        await sign_in(world.visitor(), email, "the squatter's own words")


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
