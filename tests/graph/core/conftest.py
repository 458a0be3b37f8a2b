"""A server of notes per module, with a door that tests can open and shut."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.core.resources import Resources
from graph.core.application import GraphQLApplication, Tuning
from graph.core.build import PublicSchema
from graph.core.websocket import SocketLimits
from tests.graph.core.client import serving_graphql
from tests.graph.core.fake_door import FakeDoor
from tests.graph.core.notes import note_schema


@pytest.fixture(scope="session")
def schema() -> PublicSchema:
    return note_schema()


@pytest.fixture(scope="session")
def door(resources: Resources) -> FakeDoor:
    door = FakeDoor(resources)
    door.user("owner")
    return door


@pytest.fixture(scope="session")
def application(schema: PublicSchema, door: FakeDoor, resources: Resources) -> GraphQLApplication:
    sockets = SocketLimits(init_seconds=0.5, ping_seconds=0.3, recheck_seconds=0.2, grace_seconds=1, operations=5)
    return GraphQLApplication(
        schema, door, resources, Tuning(sockets=sockets, heartbeat_seconds=0.2, patience_seconds=0.6)
    )


@pytest_asyncio.fixture(scope="session")
async def address(application: GraphQLApplication) -> AsyncIterator[str]:
    async with serving_graphql(application) as address:
        yield address


@pytest_asyncio.fixture
async def http(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the server as the owner of a tenant."""
    headers = {"authorization": "Bearer owner"}
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=10) as client:
        yield client
