"""graphql-transport-ws on a real socket: the protocol's codes, expiry, revocation, and generators that always close."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from tests.graph.core.fake_door import FakeDoor
from tests.graph.core.notes import TICKING


class Peer:
    """A client that skips the server's pings, unless asked."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self, *, pings: bool = False) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(await asyncio.wait_for(self.connection.recv(), 5))
            if pings or message["type"] != "ping":
                return message

    async def subscribe(self, message_id: str, query: str, **payload: Any) -> None:
        await self.send(type="subscribe", id=message_id, payload={"query": query, **payload})

    async def closed(self) -> tuple[int, str]:
        """The code and reason that the server closes with; what comes before is dropped."""
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await asyncio.wait_for(self.connection.recv(), 5)
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code, caught.value.rcvd.reason


@asynccontextmanager
async def raw(address: str, **options: Any) -> AsyncIterator[Peer]:
    options = {"subprotocols": [Subprotocol("graphql-transport-ws")]} | options
    async with connect(f"ws://{address}/graphql", **options) as connection:
        yield Peer(connection)


@asynccontextmanager
async def signed_in(address: str, token: str = "owner") -> AsyncIterator[Peer]:
    async with raw(address) as peer:
        await peer.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert await peer.receive() == {"type": "connection_ack"}
        yield peer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited happens inside the server
            await asyncio.sleep(0.01)


async def test_a_subscription_sends_its_events_and_completes(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("1", "subscription { ticks(count: 2) { number role } }")
        messages = [await peer.receive() for _ in range(3)]

    assert [message["payload"]["data"] for message in messages[:2]] == [
        {"ticks": {"number": 1, "role": "owner"}},
        {"ticks": {"number": 2, "role": "owner"}},
    ]
    assert messages[2] == {"id": "1", "type": "complete"}


async def test_queries_and_mutations_run_too_and_side_by_side(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("slow", "subscription { ticks { number } }")
        await peer.receive()
        await peer.subscribe("q", "query A { __typename } query B { b: __typename }", operationName="B")
        await peer.subscribe(
            "m", "mutation ($t: String!) { addNote(input: {text: $t}) { length } }", variables={"t": "abc"}
        )
        answers: dict[tuple[str, str], Any] = {}
        while len(answers) < 4:
            message = await peer.receive()
            if message["id"] != "slow":
                answers[message["id"], message["type"]] = message.get("payload", {}).get("data")

    assert answers == {
        ("q", "next"): {"b": "Query"},
        ("q", "complete"): None,
        ("m", "next"): {"addNote": {"length": 3}},
        ("m", "complete"): None,
    }


@pytest.mark.parametrize("spelling", ["authorization", "Authorization"])
async def test_the_token_comes_in_the_payload(address: str, spelling: str) -> None:
    async with raw(address) as peer:
        await peer.send(type="connection_init", payload={spelling: "Bearer owner"})

        assert await peer.receive() == {"type": "connection_ack"}


async def test_the_token_may_come_with_the_upgrade_request(address: str) -> None:
    async with raw(address, additional_headers={"authorization": "Bearer owner"}) as peer:
        await peer.send(type="connection_init")

        assert await peer.receive() == {"type": "connection_ack"}


@pytest.mark.parametrize("payload", [None, {}, {"authorization": "Bearer stale"}, {"authorization": 1}])
async def test_without_a_good_token_the_socket_closes_4403(address: str, payload: Any) -> None:
    async with raw(address) as peer:
        await peer.send(type="connection_init", payload=payload)

        code, reason = await peer.closed()

    assert code == 4403
    assert reason.startswith("Forbidden: ")


async def test_no_init_in_time_closes_4408(address: str) -> None:
    async with raw(address) as peer:
        assert await peer.closed() == (4408, "Connection initialisation timeout")


async def test_subscribing_before_the_init_closes_4401(address: str) -> None:
    async with raw(address) as peer:
        await peer.subscribe("1", "{ __typename }")

        assert await peer.closed() == (4401, "Unauthorized")


async def test_a_second_init_closes_4429(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.send(type="connection_init")

        assert await peer.closed() == (4429, "Too many initialisation requests")


async def test_a_second_subscriber_of_one_id_closes_4409(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("1", "subscription { ticks { number } }")
        await peer.subscribe("1", "subscription { ticks { number } }")

        assert await peer.closed() == (4409, "Subscriber for 1 already exists")


async def test_another_subprotocol_closes_4406(address: str) -> None:
    async with raw(address, subprotocols=None) as peer:
        assert (await peer.closed())[0] == 4406


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "{",
        '"subscribe"',
        "[" * 50_000,
        "9" * 5_000,
        "{}",
        '{"type": 1}',
        '{"type": "next", "id": "1"}',
        '{"type": "start", "id": "1"}',
        '{"type": "ping", "payload": 1}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": 1}}',
        '{"type": "complete"}',
        '{"type": "\\ud800"}',
        b"\x00\xff",
    ],
)
async def test_malformed_frames_close_4400_with_a_reason(address: str, frame: str | bytes) -> None:
    async with signed_in(address) as peer:
        await peer.connection.send(frame)

        code, reason = await peer.closed()

    assert code == 4400
    assert reason.startswith("Invalid message: ")


async def test_a_message_over_the_limit_closes_1009(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.connection.send(" " * (256 * 1024 + 1))

        assert (await peer.closed())[0] == 1009


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "BAD_INPUT"),
        ("{ unknown }", "BAD_INPUT"),
        ("query A { __typename } query B { __typename }", "BAD_INPUT"),
        ("{ " + "a { " * 20 + "b" + " }" * 21, "QUERY_TOO_COMPLEX"),
    ],
)
async def test_a_bad_document_is_an_error_of_its_id_only(address: str, query: str, code: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("good", "subscription { ticks { number } }")
        await peer.subscribe("bad", query)
        while (message := await peer.receive())["type"] != "error":
            assert message["id"] == "good"
        after = await peer.receive()

    assert message["id"] == "bad"
    assert message["payload"][0]["extensions"]["code"] == code
    assert (after["id"], after["type"]) == ("good", "next")


async def test_a_domain_error_ends_the_subscription_with_its_reason(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("1", 'subscription { ticks(count: 0, fail: "domain") { number } }')
        message = await peer.receive()

    assert message["type"] == "error"
    assert message["payload"][0]["extensions"] == {"code": "CURSOR_EXPIRED", "reason": "CURSOR_EXPIRED"}


async def test_a_crash_in_a_subscription_is_masked(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("1", 'subscription { ticks(count: 0, fail: "crash") { number } }')
        message = await peer.receive()

    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in json.dumps(message)


async def test_both_sides_ping_and_pong(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.send(type="ping", payload={"at": 1})

        assert await peer.receive() == {"type": "pong", "payload": {"at": 1}}
        assert await peer.receive(pings=True) == {"type": "ping"}
        await peer.send(type="pong")
        assert await peer.receive(pings=True) == {"type": "ping"}


async def test_more_operations_than_allowed_are_refused_one_by_one(address: str) -> None:
    async with signed_in(address) as peer:
        for number in range(6):
            await peer.subscribe(str(number), "subscription { ticks { number } }")
        while (message := await peer.receive())["type"] != "error":
            pass

    assert message["id"] == "5"
    assert message["payload"][0]["extensions"]["code"] == "THROTTLED"


async def test_complete_closes_the_generator_and_frees_the_id(address: str) -> None:
    async with signed_in(address) as peer:
        await peer.subscribe("1", "subscription { ticks { number } }")
        await peer.receive()
        closed = TICKING.closed
        await peer.send(type="complete", id="1")
        await until(lambda: TICKING.closed == closed + 1)

        await peer.subscribe("1", "subscription { ticks(count: 1) { number } }")
        messages = [await peer.receive(), await peer.receive()]
        while messages[-1]["type"] != "complete":
            messages.append(await peer.receive())

    assert messages[-1] == {"id": "1", "type": "complete"}


async def test_an_abrupt_disconnect_closes_every_generator(address: str) -> None:
    opened, closed = TICKING.opened, TICKING.closed
    async with signed_in(address) as peer:
        for number in range(5):
            await peer.subscribe(str(number), "subscription { ticks { number } }")
        await until(lambda: TICKING.opened == opened + 5)

        peer.connection.transport.abort()

        await until(lambda: TICKING.closed == closed + 5)


async def test_the_socket_closes_4403_when_the_token_expires(
    address: str, door: FakeDoor, resources: Resources
) -> None:
    door.user("brief", expires_at=resources.clock.now() + timedelta(seconds=0.3))
    closed = TICKING.closed
    async with signed_in(address, "brief") as peer:
        await peer.subscribe("1", "subscription { ticks { number } }")

        code, reason = await peer.closed()

    assert code == 4403
    assert "expired" in reason
    await until(lambda: TICKING.closed == closed + 1)


async def test_the_socket_closes_4403_within_seconds_of_a_revoked_session(address: str, door: FakeDoor) -> None:
    door.user("revoked")
    async with signed_in(address, "revoked") as peer:
        await peer.subscribe("1", "subscription { ticks { number } }")
        await peer.receive()
        del door.callers["revoked"]

        assert (await peer.closed())[0] == 4403


@pytest.mark.parametrize("change", ["role", "workspace"])
async def test_the_socket_closes_4403_when_a_right_is_lost(address: str, door: FakeDoor, change: str) -> None:
    before = door.user("demoted", workspaces={new_id(): WorkspaceRole.ADMIN})
    async with signed_in(address, "demoted") as peer:
        demoted = replace(before, role=TenantRole.MEMBER) if change == "role" else replace(before, workspaces={})
        door.callers["demoted"] = demoted

        assert (await peer.closed())[0] == 4403


async def test_a_right_that_is_gained_reaches_the_open_subscription(address: str, door: FakeDoor) -> None:
    before = door.user("promoted")
    async with signed_in(address, "promoted") as peer:
        await peer.subscribe("1", "subscription { ticks { workspaces } }")
        assert (await peer.receive())["payload"]["data"] == {"ticks": {"workspaces": 0}}
        door.callers["promoted"] = replace(before, workspaces={new_id(): WorkspaceRole.ADMIN})
        while (message := await peer.receive())["payload"]["data"] == {"ticks": {"workspaces": 0}}:
            pass

    assert message["payload"]["data"] == {"ticks": {"workspaces": 1}}


@pytest.fixture
def broken(door: FakeDoor) -> Iterator[None]:
    """The door fails, as while PostgreSQL is away."""
    door.broken = ConnectionRefusedError("a secret detail of our own: password=hunter2")
    yield
    door.broken = None


async def test_while_the_door_fails_new_clients_are_told_to_come_back(address: str, broken: None) -> None:
    async with raw(address) as peer:
        await peer.send(type="connection_init", payload={"authorization": "Bearer owner"})
        code, reason = await peer.closed()

    assert code == 1013
    assert "hunter2" not in reason


async def test_an_open_socket_outlives_a_door_that_fails_for_a_moment_only(address: str, door: FakeDoor) -> None:
    async with signed_in(address) as peer:
        asked, door.broken = door.asked, ConnectionRefusedError()
        await until(lambda: door.asked >= asked + 2)
        door.broken = None
        await until(lambda: door.asked >= asked + 4)
        await peer.subscribe("1", "{ __typename }")
        assert (await peer.receive())["type"] == "next"

        door.broken = ConnectionRefusedError()
        try:
            assert (await peer.closed())[0] == 1013
        finally:
            door.broken = None


async def test_a_slow_reader_stops_its_own_subscription_and_no_memory_grows(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client stops reading: the queue fills, and the generator waits in its place."""
    monkeypatch.setattr(TICKING, "seconds", 0)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    host, port = address.split(":")
    await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
    is_ticking: list[bool] = []
    async with raw(address, sock=narrow, max_queue=1) as peer:
        await peer.send(type="connection_init", payload={"authorization": "Bearer owner"})
        await peer.subscribe("1", "subscription { ticks { number } }")
        while len(is_ticking) < 100 and is_ticking[-3:] != [False] * 3:
            TICKING.ticked.clear()
            await asyncio.sleep(0.05)
            is_ticking.append(TICKING.ticked.is_set())
        peer.connection.transport.abort()

    assert is_ticking[-3:] == [False] * 3
