"""A subscription survives its connection: it reconnects, with a new token where the old one ended, and resumes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from app.demo.api import Api
from app.demo.live import Subscription, follow
from app.demo.problem import DemoProblem

Talk = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


class Tokens:
    """Stands for the signed-in client: hands out tokens, and counts how often a new one was wanted."""

    def __init__(self) -> None:
        self.renewals = 0

    async def token(self, *, renewed: bool = False) -> str:
        self.renewals += renewed
        return f"token-{self.renewals}"


@asynccontextmanager
async def listening(*talks: Talk) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A graphql-transport-ws server: each connection is led by the next of `talks`. Yields its URL and what was said."""
    said: list[dict[str, Any]] = []
    left = list(talks)

    async def lead(socket: ServerConnection) -> None:
        init, subscribe = json.loads(await socket.recv()), None
        await socket.send(json.dumps({"type": "connection_ack"}))
        subscribe = json.loads(await socket.recv())
        said.append({"authorization": init["payload"]["authorization"], "variables": subscribe["payload"]["variables"]})
        await left.pop(0)(socket, subscribe)

    async with serve(lead, "127.0.0.1", 0, subprotocols=[Subprotocol("graphql-transport-ws")]) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/graphql", said


def events(*numbers: int, then: Callable[[ServerConnection], Awaitable[None]]) -> Talk:
    async def talk(socket: ServerConnection, subscribe: dict[str, Any]) -> None:
        for number in numbers:
            payload = {"data": {"campaignEvents": {"cursor": f"c{number}"}}}
            await socket.send(json.dumps({"type": "ping"}))
            await socket.send(json.dumps({"id": subscribe["id"], "type": "next", "payload": payload}))
        await then(socket)

    return talk


async def drop(socket: ServerConnection) -> None:
    socket.transport.close()


async def token_ended(socket: ServerConnection) -> None:
    await socket.close(4403, "token expired")


async def refuse(socket: ServerConnection) -> None:
    error = {"message": "The cursor is older than what is kept.", "extensions": {"code": "BAD_INPUT"}}
    await socket.send(json.dumps({"id": "1", "type": "error", "payload": [error]}))


async def complete(socket: ServerConnection) -> None:
    await socket.send(json.dumps({"id": "1", "type": "complete"}))


def of_events() -> Subscription:
    return Subscription(
        "subscription", {"id": "x", "after": None}, cursor_of=lambda data: str(data["campaignEvents"]["cursor"])
    )


async def collect(url: str, wanted: Subscription, tokens: Tokens) -> list[str]:
    async with asyncio.timeout(10), aclosing(follow(cast("Api", tokens), url, wanted)) as followed:
        return [data["campaignEvents"]["cursor"] async for data in followed]


async def test_after_a_drop_it_goes_on_after_the_last_event_seen() -> None:
    async with listening(events(1, 2, then=drop), events(then=drop), events(3, then=complete)) as (url, said):
        wanted = of_events()

        seen = await collect(url, wanted, Tokens())

    assert seen == ["c1", "c2", "c3"]
    assert [each["variables"]["after"] for each in said] == [None, "c2", "c2"]
    assert wanted.reconnects == 2


async def test_a_token_that_ended_is_renewed_before_the_next_connection() -> None:
    async with listening(events(1, then=token_ended), events(2, then=complete)) as (url, said):
        seen = await collect(url, of_events(), Tokens())

    assert seen == ["c1", "c2"]
    assert [each["authorization"] for each in said] == ["Bearer token-0", "Bearer token-1"]


async def test_a_refusal_is_the_servers_sentence_and_no_reconnect() -> None:
    async with listening(events(then=refuse)) as (url, said):
        with pytest.raises(DemoProblem, match=r"The cursor is older than what is kept\."):
            await collect(url, of_events(), Tokens())

    assert len(said) == 1
