"""Slow heads on a real socket: closed when they take too long, however they are drawn out; nothing else is."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from app.http.slow_headers import PatientHttp

PATIENCE_SECONDS = 0.4
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
Events = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Hasty(PatientHttp):
    head_seconds = PATIENCE_SECONDS


async def application(scope: MutableMapping[str, Any], receive: Events, send: Send) -> None:
    """Answers after three patiences at `/slow`; says back what a socket says."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
        return
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event["body"]
        if not event["more_body"]:
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * PATIENCE_SECONDS)
    headers = [(b"content-length", str(len(body) + 2).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok" + body})


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, log_level="warning", lifespan="off", http=Hasty, ws="websockets-sansio", timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this attribute only
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task
    listener.close()


async def drip(port: int, first: bytes, drop: bytes) -> tuple[bytes, float]:
    """What the server says to `first` and then one `drop` after the other, and how many seconds it takes to close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    writer.write(first)

    async def drops() -> None:
        while True:
            await asyncio.sleep(PATIENCE_SECONDS / 4)
            writer.write(drop)

    dripping = asyncio.create_task(drops())
    try:
        heard = await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        heard = b""
    finally:
        dripping.cancel()
        writer.close()
    return heard, time.monotonic() - begun


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n"),
        (b"G", b""),
        (b"\r\n", b"\r\n"),
        (b"GET /" + b"a" * 100, b"a"),
    ],
    ids=["silent", "headers", "one byte", "empty lines", "path"],
)
async def test_a_head_that_takes_too_long_ends_its_connection(port: int, first: bytes, drop: bytes) -> None:
    heard, seconds = await drip(port, first, drop)

    assert heard == b""
    assert PATIENCE_SECONDS * 0.9 <= seconds < PATIENCE_SECONDS * 4


@pytest.mark.parametrize("drop", [b"\r\n", b"A: b\r\n"])
async def test_the_next_head_of_a_connection_may_not_take_longer(port: int, drop: bytes) -> None:
    heard, seconds = await drip(port, GET, drop)

    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert seconds < PATIENCE_SECONDS * 5


async def test_a_slow_body_and_a_slow_answer_are_not_heads(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    writer.write(b"POST /slow HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\na")
    await asyncio.sleep(2 * PATIENCE_SECONDS)
    writer.write(b"b")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    body = await reader.readexactly(4)
    await asyncio.sleep(2 * PATIENCE_SECONDS)  # idle between requests is timeout_keep_alive's
    writer.write(GET)
    again = await asyncio.wait_for(reader.readuntil(b"ok"), 5)
    writer.close()

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"okab"
    assert again.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_the_beginning_of_a_next_request_does_not_end_the_answer_to_the_first(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    writer.write(GET.replace(b"/ ", b"/slow ", 1) + b"GET ")
    heard = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert heard.endswith(b"\r\n\r\nok")


async def test_a_socket_lives_on(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/") as there:
        await asyncio.sleep(2 * PATIENCE_SECONDS)
        await there.send("here")

        assert await asyncio.wait_for(there.recv(), 5) == "here"
