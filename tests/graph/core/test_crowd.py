"""How many sockets and event streams one session, and one address, may have open; and that a place is always given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from app.core.resources import Resources
from app.core.settings import Settings
from graph.core.application import GraphQLApplication, Tuning
from graph.core.build import PublicSchema
from graph.core.websocket import SocketLimits
from tests.graph.core.client import serving_graphql
from tests.graph.core.fake_door import FakeDoor
from tests.graph.core.test_websocket import Peer, raw, signed_in, until

EVENTS = {"accept": "text/event-stream", "authorization": "Bearer owner"}
FOREVER = {"query": "subscription { ticks { number } }"}
TOO_MANY = "This session has 2 connections open: share one, or close one first."


@pytest.fixture
async def small(
    schema: PublicSchema, door: FakeDoor, resources: Resources, settings: Settings
) -> AsyncIterator[tuple[GraphQLApplication, str]]:
    """Room for two connections of a session, and three of an address that nobody signed in to."""
    few = settings.model_copy(update={"sockets_per_session": 2, "sockets_per_address": 3})
    with_few = Resources(settings=few, clock=resources.clock, cipher=resources.cipher, redis=resources.redis)
    application = GraphQLApplication(schema, door, with_few, Tuning(sockets=SocketLimits(init_seconds=0.6)))
    async with serving_graphql(application) as address:
        yield application, address


@asynccontextmanager
async def streaming(address: str) -> AsyncIterator[httpx.Response]:
    async with (
        httpx.AsyncClient(base_url=f"http://{address}", headers=EVENTS) as client,
        client.stream("POST", "/graphql/stream", json=FOREVER) as response,
    ):
        yield response


async def refused_after_init(address: str, token: str = "owner") -> tuple[int, str]:
    async with raw(address) as peer:
        await peer.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        return await peer.closed()


async def test_a_session_has_so_many_sockets_and_another_session_has_its_own(
    small: tuple[GraphQLApplication, str], door: FakeDoor
) -> None:
    application, address = small
    door.user("other")

    async with signed_in(address), signed_in(address):
        third = await refused_after_init(address)
        async with signed_in(address, "other"):
            open_then = len(application.crowd)
    await until(lambda: len(application.crowd) == 0)
    async with signed_in(address):
        pass

    assert third == (4429, TOO_MANY)
    assert open_then == 3


async def test_sockets_and_event_streams_are_counted_together(small: tuple[GraphQLApplication, str]) -> None:
    application, address = small

    async with signed_in(address), streaming(address) as first, streaming(address) as second:
        answer = await second.aread()
        closed = await refused_after_init(address)
    await until(lambda: len(application.crowd) == 0)

    assert first.status_code == 200
    assert (second.status_code, second.headers["retry-after"]) == (429, "5")
    assert httpx.Response(200, content=answer).json() == {
        "errors": [{"message": TOO_MANY, "extensions": {"code": "THROTTLED", "retryAfter": 5}}]
    }
    assert closed == (4429, TOO_MANY)


async def test_sockets_that_nobody_signed_in_to_count_against_their_address_until_they_are_closed(
    small: tuple[GraphQLApplication, str],
) -> None:
    application, address = small

    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(raw(address)) for _ in range(3)]
        async with raw(address) as fourth:
            refused = await fourth.closed()
        late = await silent[0].closed()
        await until(lambda: len(application.crowd) == 0)
        async with signed_in(address):
            signed_in_then = len(application.crowd)

    assert refused == (1013, "3 connections of your address have not signed in: try again in a moment.")
    assert late[0] == 4408
    assert signed_in_then == 1


async def test_signing_in_makes_room_at_the_address(small: tuple[GraphQLApplication, str], door: FakeDoor) -> None:
    application, address = small
    tokens = [f"one of {number}" for number in range(5)]
    for token in tokens:
        door.user(token)

    async with AsyncExitStack() as stack:
        for token in tokens:
            await stack.enter_async_context(signed_in(address, token))
        everybody = len(application.crowd)

    assert everybody == 5


async def left_before_init(address: str) -> None:
    async with raw(address) as peer:
        abort(peer)


async def left_at_once(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("1", FOREVER["query"])
        await peer.receive()
        abort(peer)


async def wrong_token(address: str) -> None:
    assert (await refused_after_init(address, "nobody's"))[0] == 4403


async def bad_message(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.connection.send("no JSON")
        await peer.closed()


async def stream_left_at_once(address: str) -> None:
    async with streaming(address) as response:
        network: Any = response.extensions["network_stream"]
        network.get_extra_info("socket").shutdown(2)


async def stream_completed(address: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=EVENTS) as client:
        await client.post("/graphql/stream", json={"query": "{ __typename }"})


def abort(peer: Peer) -> None:
    peer.connection.transport.abort()


@pytest.mark.parametrize(
    "way", [left_before_init, left_at_once, wrong_token, bad_message, stream_left_at_once, stream_completed]
)
async def test_a_place_is_given_back_whichever_way_a_connection_ends(
    small: tuple[GraphQLApplication, str], way: Any
) -> None:
    application, address = small

    for _ in range(5):
        async with asyncio.timeout(5):
            await way(address)
        await until(lambda: len(application.crowd) == 0)

    async with signed_in(address), signed_in(address):
        assert len(application.crowd) == 2
