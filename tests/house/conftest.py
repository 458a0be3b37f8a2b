"""What the tests of the public schema stand on: a client of it, and two tenants that have one of everything."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio

from app.core.rate_limits import RateLimits
from app.core.resources import Resources
from app.identity.passwords import Passwords
from app.identity.ports import Mail, SystemMail
from app.outreach.ports import SandboxInbox
from db.core.tiers import CONTENT, OLAP, OLTP, TierEngine
from tests.house.schema_client import SchemaClient
from tests.house.world import FakeSandbox, World, make_world
from tests.servers import TestServers


class Letterbox:
    """A SystemMail that nobody reads."""

    async def send(self, mail: Mail) -> None:
        assert mail.to


@pytest.fixture(scope="session")
def house(resources: Resources) -> Iterator[Resources]:
    """Resources with argon2 made cheap, a letterbox, and a sandbox that is told what it has received."""
    passwords = Passwords(passes=1, memory_kib=64, lanes=1)
    ports = {
        RateLimits: RateLimits(resources.redis),
        Passwords: passwords,
        SystemMail: Letterbox(),
        SandboxInbox: FakeSandbox(),
    }
    settings = resources.settings.model_copy(update={"even_answer_seconds": 0.0})
    yield replace(resources, settings=settings, ports={**resources.ports, **ports})
    passwords.close()


@pytest.fixture(scope="session")
def client() -> SchemaClient:
    return SchemaClient()


@pytest_asyncio.fixture(scope="session")
async def theirs(house: Resources) -> World:
    """Only looked at, never changed: that is what is proved."""
    return await make_world(house)


@pytest_asyncio.fixture(scope="session")
async def ours(house: Resources) -> World:
    return await make_world(house)


@pytest_asyncio.fixture(scope="session")
async def our_rows(ours: World) -> dict[str, str]:
    return await ours.rows()


@pytest_asyncio.fixture(scope="session")
async def their_rows(theirs: World) -> dict[str, str]:
    return await theirs.rows()


@pytest_asyncio.fixture(scope="session")
async def their_traces(theirs: World) -> frozenset[str]:
    return await theirs.traces()


@pytest_asyncio.fixture(scope="session")
async def shared(house: Resources) -> World:
    """A tenant with two workspaces that are both full."""
    return await make_world(house, next_door=True)


@pytest_asyncio.fixture(scope="session")
async def superuser_pools(servers: TestServers, databases: dict[str, str]) -> AsyncIterator[dict[TierEngine, Any]]:
    """A pool of each tier that no row-level security stops, by the tier."""
    pools: dict[TierEngine, Any] = {}
    for tier in (OLTP, CONTENT, OLAP):
        engine = TierEngine(tier.tier)
        await engine.open(urlunsplit(urlsplit(servers.admin_url)._replace(path=f"/{databases[tier.tier]}")), max_size=4)
        pools[tier] = engine.pool
    yield pools
    for pool in pools.values():
        await pool.close()


@pytest.fixture
def no_row_security(superuser_pools: dict[TierEngine, Any]) -> Iterator[None]:
    """Everything runs as a superuser meanwhile."""
    served = {tier: tier.pool for tier in superuser_pools}
    for tier, pool in superuser_pools.items():
        tier.pool = pool
    yield
    for tier, own in served.items():
        tier.pool = own
