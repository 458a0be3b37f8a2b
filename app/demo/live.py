"""Subscriptions over `graphql-transport-ws` that survive a dropped connection: reconnect, and go on from the cursor."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from app.demo.api import Api
from app.demo.problem import DemoProblem, ServerGone

PROTOCOL = Subprotocol("graphql-transport-ws")
PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0
ANSWER_SECONDS = 15.0
TOKEN_ENDED = frozenset({4401, 4403})  # the token ended, or was never good: reconnect with a new one
OUR_MISTAKE = frozenset({4400, 4406, 4409, 4429, 4500})

Says = Callable[[dict[str, Any]], str | None]


@dataclass
class Subscription:
    """One field to follow. With `cursor_of`, each connection goes on after the last event seen (variable `$after`)."""

    document: str
    variables: dict[str, Any]
    cursor_of: Says | None = None
    reconnects: int = field(default=0, init=False)


async def follow(api: Api, url: str, wanted: Subscription) -> AsyncGenerator[dict[str, Any], None]:
    """The `data` of every event, until the server completes the subscription.

    Raises ServerGone after a minute without a connection, DemoProblem when the server refuses.
    """
    lost_at: float | None = None
    pause, renewed = FIRST_PAUSE_SECONDS, False
    while True:
        try:
            async with connect(url, subprotocols=[PROTOCOL], max_size=16 * 1024 * 1024) as socket:
                await _open(socket, await api.token(renewed=renewed))
                renewed = False
                async with aclosing(_events(socket, wanted)) as events:
                    async for data in events:
                        lost_at, pause = None, FIRST_PAUSE_SECONDS
                        yield data
                return
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd is not None else 1006
            if code in OUR_MISTAKE:
                reason = error.rcvd.reason if error.rcvd is not None else ""
                raise DemoProblem(f"The server ended the subscription ({code} {reason}).") from error
            renewed = code in TOKEN_ENDED
            problem = f"connection lost ({code})"
        except (OSError, InvalidHandshake, TimeoutError) as error:
            problem = str(error) or type(error).__name__
        wanted.reconnects += 1
        lost_at = lost_at or time.monotonic()
        if time.monotonic() - lost_at > PATIENCE_SECONDS:
            raise ServerGone(
                f"The live connection to {url} could not be restored within {PATIENCE_SECONDS:.0f} seconds "
                f"({problem}). Look at the terminal of `penguinmails up`. What was launched goes on by itself once "
                "it runs again."
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _open(socket: ClientConnection, token: str) -> None:
    await _say(socket, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    async with asyncio.timeout(ANSWER_SECONDS):
        while (await _hear(socket))["type"] != "connection_ack":
            pass


async def _events(socket: ClientConnection, wanted: Subscription) -> AsyncGenerator[dict[str, Any], None]:
    asked = {"query": wanted.document, "variables": wanted.variables}
    await _say(socket, {"id": "1", "type": "subscribe", "payload": asked})
    while True:
        message = await _hear(socket)
        match message["type"]:
            case "next":
                answer = message["payload"]
                if answer.get("errors"):
                    raise DemoProblem(_refused(answer["errors"]))
                data: dict[str, Any] = answer["data"]
                if wanted.cursor_of is not None and (cursor := wanted.cursor_of(data)) is not None:
                    wanted.variables = wanted.variables | {"after": cursor}
                yield data
            case "error":
                raise DemoProblem(_refused(message["payload"]))
            case "complete":
                return
            case "ping":
                with suppress(ConnectionClosed):  # what arrived before the end is read first; recv tells of the end
                    await _say(socket, {"type": "pong"})


def _refused(errors: list[dict[str, Any]]) -> str:
    return "The server refused the subscription: " + " ".join(str(each.get("message")) for each in errors)


async def _say(socket: ClientConnection, message: Mapping[str, Any]) -> None:
    await socket.send(json.dumps(message))


async def _hear(socket: ClientConnection) -> dict[str, Any]:
    message = json.loads(await socket.recv())
    assert isinstance(message, dict)
    return message
