"""The demo tenant: made once, through the use cases, and left alone when its password was changed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.core.caller import anonymous_caller
from app.core.ids import new_id
from app.core.rate_limits import RateLimits
from app.core.resources import Resources
from app.identity.access_tokens import AccessTokens
from app.identity.passwords import Passwords
from app.identity.sessions import sign_in
from app.identity.sign_ups import SignUp, sign_up
from app.identity.tenant_settings import tenant_settings
from app.seed import DEMO_POSTAL_ADDRESS, seed_demo_tenant
from db.core.transaction import shared_transaction
from db.queries.identity import users
from tests.app.identity.tenants import actions_of, snapshot

PASSWORD = "penguins in the fog"


@pytest.fixture
def seeded(resources: Resources) -> Iterator[Resources]:
    cheap = Passwords(passes=1, memory_kib=64, lanes=1)
    settings = resources.settings.model_copy(update={"even_answer_seconds": 0.0})
    ports = {RateLimits: RateLimits(resources.redis), Passwords: cheap, AccessTokens: AccessTokens.of(settings)}
    yield replace(resources, settings=settings, ports={**resources.ports, **ports})
    cheap.close()


async def test_the_demo_tenant_is_ready_and_seeding_again_makes_no_second(seeded: Resources) -> None:
    email = f"demo-{new_id().hex}@penguinmails.example"

    await seed_demo_tenant(seeded, email=email, password=PASSWORD)
    entered = await sign_in(anonymous_caller(seeded, "test"), email, PASSWORD)
    before = await snapshot(entered.tenant.id)
    await seed_demo_tenant(seeded, email=email, password=PASSWORD)

    after, (_, settings) = await snapshot(entered.tenant.id), await tenant_settings(entered.caller)
    assert settings.postal_address == DEMO_POSTAL_ADDRESS
    assert (settings.default_daily_cap, settings.default_minimum_gap_seconds) == (100_000, 0)
    assert {table for table in after if after[table] != before[table]} == {"sessions", "refresh_tokens", "audit_log"}
    assert (await actions_of(entered.tenant.id))[:3] == ["tenant.sign_up", "session.sign_up", "user.verify_email"]
    async with shared_transaction(read_only=True):
        user = await users.user_by_key(email)
    assert user is not None
    assert user.email_verified_at is not None
    assert user.tenant_hints == [entered.tenant.id]
    assert user.sign_up_number == 1


async def test_a_stranger_who_signed_up_with_the_demo_address_does_not_keep_the_demo_user_away(
    seeded: Resources,
) -> None:
    email = f"demo-{new_id().hex}@penguinmails.example"
    stranger = await sign_up(anonymous_caller(seeded, "test"), SignUp(email, "a stranger's words", "Mallory", "Squat"))

    await seed_demo_tenant(seeded, email=email, password=PASSWORD)

    entered = await sign_in(anonymous_caller(seeded, "test"), email, PASSWORD)
    assert entered.tenant.name == "Penguin Demo"
    assert entered.tenant.id != stranger.tenant.id


async def test_a_changed_demo_password_is_left_alone(seeded: Resources) -> None:
    email = f"demo-{new_id().hex}@penguinmails.example"
    await seed_demo_tenant(seeded, email=email, password=PASSWORD)

    await seed_demo_tenant(seeded, email=email, password="another password of penguins")

    assert (await sign_in(anonymous_caller(seeded, "test"), email, PASSWORD)).tenant.name == "Penguin Demo"
