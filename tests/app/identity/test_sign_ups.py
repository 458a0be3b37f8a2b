"""Signing up: a session at once, finished after a crash, raced, and telling nothing of whether an address is known."""

import asyncio
from dataclasses import fields
from uuid import UUID

import pytest

from app.core.errors import NotFound, Problems
from app.core.ids import new_id
from app.identity.accounts import change_password
from app.identity.errors import TooManyAttempts, WrongCredentials
from app.identity.session_opening import SignedIn
from app.identity.sessions import refresh_session, sign_in
from app.identity.sign_ups import SignUp, sign_up
from app.identity.user_mail import send_verification
from app.identity.viewers import viewer
from db.core.transaction import current, shared_transaction, tenant_transaction
from db.queries.identity import memberships, tenants, workspaces
from tests.app.identity.conftest import PASSWORD, World, form, mails_waiting_for, new_email
from tests.app.identity.tenants import MadeTenant, actions_of, jobs_of, snapshot, topics_of
from tests.app.identity.test_accounts import join

OTHER_PASSWORD = "somebody else's words"


async def shape(entered: SignedIn) -> dict[str, object]:
    """What the new owner can find out about the tenant, without ids and moments."""
    me = await viewer(entered.caller)
    rows = await snapshot(entered.tenant.id)
    return {
        "rows": {table: len(found) for table, found in rows.items()},
        "jobs": await jobs_of(entered.tenant.id),
        "topics": await topics_of(entered.tenant.id),
        "actions": await actions_of(entered.tenant.id),
        "viewer": (me.display_name, me.email_verified_at, me.role, me.tenant_name),
        "workspace": entered.workspace and (entered.workspace.name, entered.workspace.slug),
        "tokens": [type(getattr(entered.tokens, each.name)) for each in fields(entered.tokens)],
    }


async def test_sign_up_makes_user_tenant_owner_workspace_a_session_and_a_verification_job(world: World) -> None:
    email = new_email()

    entered = await sign_up(world.visitor(), form(email))

    user = await world.user(email)
    tenant_id = user.tenant_hints[0]
    async with tenant_transaction(tenant_id, read_only=True):
        tenant, settings = await tenants.tenant(), await tenants.settings()
        member = await memberships.member_by_user(user.id)
        workspace = await workspaces.first_workspace(visible=None)
    assert tenant is not None
    assert (entered.tenant, tenant.name) == (tenant, "Analytical Engines")
    assert settings is not None
    assert (settings.postal_address, settings.time_zone, settings.version) == ("", "UTC", 1)
    assert member is not None
    assert (member.role, member.email, member.display_name) == ("owner", email, "Ada Lovelace")
    assert workspace is not None
    assert entered.workspace == workspace
    assert (workspace.name, workspace.slug) == ("Analytical Engines", "analytical-engines")
    assert user.email_verified_at is None
    assert await mails_waiting_for(user.id) == ["user.send_verification"]
    assert await jobs_of(tenant_id) == ["tenant.maintain"]
    assert await topics_of(tenant_id) == ["workspace.created"]
    assert await actions_of(tenant_id) == ["tenant.sign_up", "session.sign_up"]
    assert (await refresh_session(world.visitor(), entered.tokens.refresh_token)).access_token


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


async def test_known_and_unknown_addresses_look_alike_and_cost_alike(world: World) -> None:
    verified = await world.verified_person()
    unverified = new_email()
    await sign_up(world.visitor(), form(unverified))
    before = await snapshot(verified.tenant_hints[0])
    shapes, runs = [], []

    for email in (new_email(), unverified, verified.email):
        world.passwords.runs = 0
        entered = await sign_up(world.visitor(), form(email, OTHER_PASSWORD))
        runs.append(world.passwords.runs)
        again = await sign_in(world.visitor(), email, OTHER_PASSWORD)
        assert again.tenant == entered.tenant
        shapes.append(await shape(entered))

    assert shapes[0] == shapes[1] == shapes[2]
    assert runs == [3, 3, 3]
    assert await snapshot(verified.tenant_hints[0]) == before
    assert await world.user(verified.email) == verified


async def test_only_the_mail_tells_that_an_address_has_an_account_and_holds_no_code(world: World) -> None:
    user = await world.verified_person()
    entered = await sign_up(world.visitor(), form(user.email, OTHER_PASSWORD))
    assert entered.caller.user_id is not None
    world.letterbox.mails.clear()

    await send_verification(world.worker, entered.caller.user_id)

    (mail,) = world.letterbox.mails
    assert (mail.to, mail.subject) == (user.email, "You already have an account")
    assert "pm_" not in mail.text


async def test_the_right_password_enters_the_persons_own_tenant(world: World) -> None:
    verified = await world.verified_person()
    email = new_email()
    first = await sign_up(world.visitor(), form(email))
    world.passwords.runs = 0

    again = await sign_up(world.visitor(), form(email))
    runs, world.passwords.runs = world.passwords.runs, 0
    known = await sign_up(world.visitor(), form(verified.email))

    assert (again.tenant, again.caller.user_id) == (first.tenant, first.caller.user_id)
    assert (known.tenant.id, known.caller.user_id) == (verified.tenant_hints[0], verified.id)
    assert runs == world.passwords.runs == 3
    assert (await world.user(verified.email)).tenant_hints == verified.tenant_hints


async def test_a_second_sign_up_with_the_same_password_finishes_what_a_crash_left(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email))
    user = await world.user(email)
    crashed = await crash(user.id)

    answers = await asyncio.gather(*(sign_up(world.visitor(), form(email)) for _ in range(3)))

    async with tenant_transaction(crashed, read_only=True):
        tenant = await tenants.tenant()
        page = await memberships.members(first=10, after=None)
        rooms = await workspaces.workspaces(visible=None, archived=True, first=10, after=None)
    assert [answer.tenant for answer in answers] == [tenant] * 3
    assert [member.user_id for member in page.items] == [user.id]
    assert len(rooms.items) == 1


async def crash(user_id: UUID) -> UUID:
    """As if the process had died after the user was written. Returns the tenant that was to be made."""
    crashed = new_id()
    async with shared_transaction():
        await current().execute(
            "UPDATE users SET tenant_hints = $2, last_tenant = NULL WHERE id = $1", user_id, [crashed]
        )
    return crashed


async def test_with_another_password_a_crashed_sign_up_is_not_finished(world: World) -> None:
    email = new_email()
    await sign_up(world.visitor(), form(email))
    crashed = await crash((await world.user(email)).id)

    other = await sign_up(world.visitor(), form(email, OTHER_PASSWORD))

    async with tenant_transaction(crashed, read_only=True):
        assert await tenants.tenant() is None
    assert other.tenant.id != crashed


async def test_sign_ups_at_once_with_one_address_and_password_end_in_one_tenant(world: World) -> None:
    email = new_email()

    answers = await asyncio.gather(*(sign_up(world.visitor(), form(email)) for _ in range(4)))

    user = await world.user(email)
    async with tenant_transaction(user.tenant_hints[0], read_only=True):
        page = await memberships.members(first=10, after=None)
    assert {answer.tenant.id for answer in answers} == set(user.tenant_hints)
    assert [member.user_id for member in page.items] == [user.id]
    assert await numbers_of(email) == [1]


async def test_sign_ups_at_once_with_other_passwords_are_apart_and_none_is_refused(world: World) -> None:
    email = new_email()

    answers = await asyncio.gather(*(sign_up(world.visitor(), form(email, f"these are words {n}")) for n in range(8)))

    assert len({answer.tenant.id for answer in answers}) == 8
    assert await numbers_of(email) == [1, 2, 3, 4, 5, 6, 7, 8]


async def numbers_of(email: str) -> list[int]:
    async with shared_transaction(read_only=True):
        rows = await current().fetch("SELECT sign_up_number FROM users WHERE email_key = $1 ORDER BY 1", email)
    return [row["sign_up_number"] for row in rows]


async def test_guessing_by_signing_up_is_limited_and_the_limit_is_not_told(world: World) -> None:
    strict = world.with_settings(sign_in_attempts_per_minute=3)
    user, nobody = await world.verified_person(), new_email()

    for email in (user.email, nobody):
        for number in range(3):
            await sign_up(strict.visitor(), form(email, f"a guess of words {number}"))
    held = await sign_up(strict.visitor(), form(user.email))  # the right password, compared with nobody's
    alike = await sign_up(strict.visitor(), form(nobody))

    assert held.tenant.id != user.tenant_hints[0]
    assert await shape(held) == await shape(alike)
    assert (await sign_in(strict.visitor(), user.email, PASSWORD)).caller.user_id == user.id


async def test_nobody_guesses_for_ever_by_giving_an_unverified_user_of_his_own_each_guess(world: World) -> None:
    """Were his own right password to give attempts back, each guess could be made right by setting it first."""
    strict = world.with_settings(sign_in_attempts_per_minute=3)
    user = await world.verified_person()
    own = await sign_up(strict.visitor(), form(user.email, OTHER_PASSWORD))
    password = OTHER_PASSWORD

    for number in range(3):
        guess = f"a guess of words {number}"
        await change_password(own.caller, password, guess)
        assert (await sign_in(strict.visitor(), user.email, guess)).caller.user_id == own.caller.user_id
        password = guess

    with pytest.raises(TooManyAttempts):
        await sign_in(strict.visitor(), user.email, password)


async def test_limits_do_not_tell_the_owner_of_an_unverified_user_whether_the_address_has_an_account(
    world: World,
) -> None:
    strict = world.with_settings(sign_in_attempts_per_minute=3)
    user = await world.verified_person()
    outcomes = []

    for email in (user.email, new_email()):
        await sign_up(world.visitor(), form(email, OTHER_PASSWORD))
        outcomes.append([await try_to_sign_in(strict, email) for _ in range(6)])

    assert outcomes[0] == outcomes[1] == ["in"] * 3 + ["TooManyAttempts"] * 3


async def try_to_sign_in(world: World, email: str) -> str:
    try:
        await sign_in(world.visitor(), email, OTHER_PASSWORD)
    except (TooManyAttempts, WrongCredentials) as refused:
        return type(refused).__name__
    return "in"


async def test_sign_in_prefers_the_verified_user_and_reaches_the_other_by_its_tenant(world: World) -> None:
    email = new_email()
    unverified = await sign_up(world.visitor(), form(email))
    user = await world.user(email)
    own = await verified_beside(world, email)

    preferred = await sign_in(world.visitor(), email, PASSWORD)
    by_tenant = await sign_in(world.visitor(), email, PASSWORD, tenant_id=unverified.tenant.id)

    assert preferred.caller.user_id == own != user.id
    assert by_tenant.caller.user_id == user.id


async def verified_beside(world: World, email: str) -> UUID:
    """A verified user with the same address and password as the one that is there."""
    other = await world.verified_person()
    async with shared_transaction():
        await current().execute("UPDATE users SET email_key = $2, sign_up_number = 2 WHERE id = $1", other.id, email)
    return other.id


async def test_among_unverified_users_the_newest_signs_in_and_older_sessions_go_on(world: World) -> None:
    email = new_email()
    older = await sign_up(world.visitor(), form(email))
    newer = await sign_up(world.visitor(), form(email, OTHER_PASSWORD))

    with pytest.raises(WrongCredentials):
        await sign_in(world.visitor(), email, PASSWORD)
    assert (await sign_in(world.visitor(), email, OTHER_PASSWORD)).tenant == newer.tenant
    with pytest.raises(NotFound):
        await sign_in(world.visitor(), email, OTHER_PASSWORD, tenant_id=older.tenant.id)
    assert (await refresh_session(world.visitor(), older.tokens.refresh_token)).access_token


async def test_someone_put_out_of_every_tenant_gets_one_of_their_own(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    await join(acme, user.id, user.email)
    async with shared_transaction():
        await current().execute("UPDATE users SET tenant_hints = $2 WHERE id = $1", user.id, [acme.tenant_id])
    async with tenant_transaction(acme.tenant_id):
        await current().execute("DELETE FROM memberships WHERE user_id = $1", user.id)
    async with tenant_transaction(user.tenant_hints[0]):
        await current().execute("DELETE FROM memberships WHERE user_id = $1", user.id)

    entered = await sign_up(world.visitor(), SignUp(user.email, PASSWORD, "Ada", "Anew"))

    assert (entered.tenant.name, entered.caller.user_id) == ("Anew", user.id)
    assert entered.tenant.id not in (acme.tenant_id, user.tenant_hints[0])
