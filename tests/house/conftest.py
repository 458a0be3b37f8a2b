"""What the tests of the public schema stand on: a client of it, and two tenants that have one of everything."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from app.core.rate_limits import RateLimits
from app.core.resources import Resources
from app.identity.passwords import Passwords
from app.identity.ports import Mail, SystemMail
from app.outreach.ports import SandboxInbox
from tests.house.schema_client import SchemaClient
from tests.house.world import FakeSandbox, World, make_world


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
async def their_rows(theirs: World) -> dict[str, str]:
    return await theirs.rows()


@pytest_asyncio.fixture(scope="session")
async def their_traces(theirs: World) -> frozenset[str]:
    return await theirs.traces()


@pytest_asyncio.fixture(scope="session")
async def shared(house: Resources) -> World:
    """A tenant with two workspaces that are both full."""
    return await make_world(house, next_door=True)
