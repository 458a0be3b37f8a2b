"""Guessers slow themselves down; whoever knows the password still enters from where they entered before."""

import asyncio

import pytest

from app.identity.accounts import request_password_reset, reset_password
from app.identity.errors import TooManyAttempts, WrongCredentials
from app.identity.sessions import sign_in
from tests.app.identity.conftest import PASSWORD, World, new_email
from tests.app.identity.test_accounts import NEW_PASSWORD, reset_token

HOME, CAFE = "198.51.100.20", "203.0.113.9"


@pytest.fixture
def strict(world: World) -> World:
    return world.with_settings(sign_in_attempts_per_minute=3)


def botnet(number: int) -> str:
    """One address in a network of its own."""
    return f"2001:db8:{number:x}::1"


async def guess(world: World, email: str, address: str) -> type[Exception]:
    try:
        await sign_in(world.visitor(address), email, "a wrong guess")
    except (WrongCredentials, TooManyAttempts) as refused:
        return type(refused)
    raise AssertionError("a wrong password was let in")


async def test_a_host_is_held_after_n_wrong_attempts_over_all_accounts(strict: World) -> None:
    outcomes = [await guess(strict, new_email(), "192.0.2.200") for _ in range(5)]

    assert outcomes == [WrongCredentials] * 3 + [TooManyAttempts] * 2


async def test_a_held_guess_costs_no_argon2(strict: World) -> None:
    for _ in range(3):
        await guess(strict, new_email(), "192.0.2.201")
    strict.passwords.runs = 0

    await guess(strict, new_email(), "192.0.2.201")

    assert strict.passwords.runs == 0


async def test_a_network_is_held_for_one_account_whatever_host_guesses(strict: World) -> None:
    user = await strict.verified_person()

    outcomes = [await guess(strict, user.email, f"192.0.3.{host}") for host in range(1, 6)]

    assert outcomes == [WrongCredentials] * 3 + [TooManyAttempts] * 2


async def test_many_networks_share_a_few_guesses_and_the_person_still_enters_from_home(strict: World) -> None:
    user = await strict.verified_person()
    await sign_in(strict.visitor(HOME), user.email, PASSWORD)

    outcomes = [await guess(strict, user.email, botnet(number)) for number in range(1, 60)]
    entered = await sign_in(strict.visitor("198.51.100.99"), user.email, PASSWORD)

    assert outcomes == [WrongCredentials] * 3 + [TooManyAttempts] * 56
    assert entered.caller.user_id == user.id


async def test_a_person_on_the_road_during_an_attack_enters_by_resetting_the_password(strict: World) -> None:
    user = await strict.verified_person()
    for number in range(100, 110):
        await guess(strict, user.email, botnet(number))

    with pytest.raises(TooManyAttempts, match="set a new password by mail"):
        await sign_in(strict.visitor(CAFE), user.email, PASSWORD)
    await reset_password(strict.visitor(CAFE), await reset_token(strict, user.email), NEW_PASSWORD)

    assert (await sign_in(strict.visitor(CAFE), user.email, NEW_PASSWORD)).caller.user_id == user.id


async def test_an_account_that_does_not_exist_is_limited_alike(strict: World) -> None:
    nobody, user = new_email(), await strict.verified_person()

    outcomes = [
        [await guess(strict, email, botnet(200 + shift + n)) for n in range(6)]
        for shift, email in ((0, nobody), (50, user.email))
    ]

    assert outcomes[0] == outcomes[1]


async def test_right_passwords_use_no_attempts_up(strict: World) -> None:
    user = await strict.verified_person()

    for _ in range(8):
        await sign_in(strict.visitor(CAFE), user.email, PASSWORD)


async def test_many_guesses_at_once_do_not_slip_through(strict: World) -> None:
    user = await strict.verified_person()
    strict.passwords.runs = 0

    outcomes = await asyncio.gather(*(guess(strict, user.email, "192.0.4.4") for _ in range(20)))

    assert outcomes.count(WrongCredentials) == 3
    assert strict.passwords.runs == 2 * 3


async def test_asking_for_resets_is_limited_by_host(strict: World) -> None:
    for _ in range(3):
        await request_password_reset(strict.visitor("192.0.2.222"), new_email())

    with pytest.raises(TooManyAttempts):
        await request_password_reset(strict.visitor("192.0.2.222"), new_email())
