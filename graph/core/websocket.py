"""GraphQL over WebSocket (graphql-transport-ws): any operation, many at once, closed when the rights behind it end.

One reader, one writer with a bounded queue, a task per operation. Whatever ends the socket, an abrupt disconnect
included, cancels every task and waits until its generators are closed.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from app.core.caller import Caller, CallerKind
from app.core.door import ConnectionFacts, Door
from app.core.errors import Throttled, Unauthenticated
from graph.core.crowd import Crowd, Crowded, Place
from graph.core.engine import Engine, Ready, Stopped
from graph.core.errors import internal, refusal
from graph.core.facts import Headers, connection_facts
from graph.core.request import Request
from graph.core.socket_messages import SUBPROTOCOL, Close, Message, authorization_of, read_message, write_message
from graph.core.view import Receive, Scope, Send
from graph.core.watch import GRACE_SECONDS, RECHECK_SECONDS, Rights, RightsLost, RightsUnknown

_FAREWELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What a socket may do, and how long it may take."""

    init_seconds: float = 10.0
    ping_seconds: float = 20.0
    recheck_seconds: float = RECHECK_SECONDS
    grace_seconds: float = GRACE_SECONDS
    stalled_seconds: float = 30.0
    operations: int = 100
    queued_messages: int = 64


class SocketView:
    """`/graphql` as a WebSocket."""

    def __init__(self, engine: Engine, door: Door, crowd: Crowd, limits: SocketLimits) -> None:
        self._engine = engine
        self._door = door
        self._crowd = crowd
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4406, "reason": f"Speak the subprotocol {SUBPROTOCOL}."})
            return
        headers = Headers.of(scope)
        facts = connection_facts(scope, headers)
        try:
            place = self._crowd.at_address(facts.address)
        except Crowded as crowded:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            await send({"type": "websocket.close", "code": 1013, "reason": str(crowded)})
            return
        with place:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            socket = Socket(
                self._engine, self._door, place, facts=facts, limits=self._limits, header=headers.authorization
            )
            await socket.serve(receive, send)


class Socket:
    """One connection. `header` is the Authorization of the upgrade request, for clients that are no browsers."""

    def __init__(
        self,
        engine: Engine,
        door: Door,
        place: Place,
        *,
        facts: ConnectionFacts,
        limits: SocketLimits,
        header: str | None,
    ) -> None:
        self._engine = engine
        self._door = door
        self._place = place
        self._facts = facts
        self._limits = limits
        self._header = header
        self._caller: Caller | None = None
        self._is_asked = False
        self._ready: dict[str, Ready] = {}
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._outbox: asyncio.Queue[str] = asyncio.Queue(limits.queued_messages)
        self._ended: asyncio.Future[Close | None] = asyncio.get_running_loop().create_future()

    async def serve(self, receive: Receive, send: Send) -> None:
        """Until the client leaves or something closes the socket."""
        self._start(self._read(receive))
        self._start(self._write(send))
        self._start(self._ping())
        self._start(self._await_init())
        try:
            close = await self._ended
        finally:
            await self._stop_everything()
        if close is not None:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await send({"type": "websocket.close", "code": close.code, "reason": close.reason})

    # ---- parts that run side by side

    async def _read(self, receive: Receive) -> None:
        while True:
            frame = await receive()
            if frame["type"] == "websocket.disconnect":
                self._end(None)
                return
            await self._handle(read_message(frame.get("text")))

    async def _write(self, send: Send) -> None:
        while True:
            text = await self._outbox.get()
            try:
                async with asyncio.timeout(self._limits.stalled_seconds):
                    await send({"type": "websocket.send", "text": text})
            except TimeoutError:
                raise Close(1013, "You read too slowly: connect again and resume.") from None
            except OSError:
                self._end(None)
                return

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_seconds)
            await self._send("ping")

    async def _await_init(self) -> None:
        await asyncio.sleep(self._limits.init_seconds)
        if not self._is_asked:
            raise Close(4408, "Connection initialisation timeout")

    async def _watch(self, rights: Rights, caller: Caller) -> None:
        try:
            await rights.watch(caller, self._renew)
        except RightsLost as lost:
            raise Close(4403, str(lost)) from None
        except RightsUnknown as unknown:
            raise self._later(unknown) from unknown

    async def _run(self, message_id: str, ready: Ready) -> None:
        """One operation, until it ends or is cancelled. A request error is `error`, everything else `next`."""
        try:
            async with aclosing(self._engine.stream(ready)) as answers:
                async for answer in answers:
                    if "data" not in answer.body:
                        self._forget(message_id)
                        await self._send("error", message_id, answer.body["errors"])
                        return
                    await self._send("next", message_id, answer.body)
            self._forget(message_id)
            await self._send("complete", message_id)
        finally:
            if self._operations.get(message_id) is asyncio.current_task():
                self._forget(message_id)

    # ---- messages

    async def _handle(self, message: Message) -> None:
        if message.type == "connection_init":
            await self._initialise(message)
        elif message.type == "ping":
            await self._send("pong", payload=message.payload)
        elif message.type == "subscribe":
            assert message.request is not None
            await self._subscribe(message.id, message.request)
        elif message.type == "complete":
            task = self._operations.get(message.id)
            self._forget(message.id)
            if task is not None:
                task.cancel()

    async def _initialise(self, message: Message) -> None:
        if self._is_asked:
            raise Close(4429, "Too many initialisation requests")
        self._is_asked = True
        authorization = authorization_of(message.payload) or self._header
        try:
            caller = await self._door.admit(authorization, self._facts)
            if caller.kind is CallerKind.ANONYMOUS:
                raise Unauthenticated('Send {"authorization": "Bearer <access token>"} as the payload.')
            self._place.move_to(caller)
        except Unauthenticated as error:
            raise Close(4403, f"Forbidden: {error.message}") from None
        except Crowded as crowded:
            raise Close(4429, str(crowded)) from None
        except Exception as error:
            raise self._later(error) from error
        self._caller = caller
        limits = self._limits
        rights = Rights(self._door, authorization, self._facts, limits.recheck_seconds, limits.grace_seconds)
        self._start(self._watch(rights, caller))
        await self._send("connection_ack")

    def _later(self, error: Exception) -> Close:
        """1013: clients connect again, where 4500 would make them give up."""
        internal(error, self._facts.request_id)
        return Close(1013, f"Try again later; mention {self._facts.request_id} when you ask about it.")

    async def _subscribe(self, message_id: str, request: Request) -> None:
        if self._caller is None:
            raise Close(4401, "Unauthorized")
        if message_id in self._operations:
            raise Close(4409, f"Subscriber for {message_id} already exists")
        if len(self._operations) >= self._limits.operations:
            await self._send("error", message_id, [refusal(Throttled(1))])
            return
        try:
            ready = self._engine.prepare(request, self._caller)
        except Stopped as stopped:
            await self._send("error", message_id, stopped.answer.body["errors"])
            return
        self._ready[message_id] = ready
        self._operations[message_id] = self._start(self._run(message_id, ready))

    async def _send(self, kind: str, message_id: str | None = None, payload: object = None) -> None:
        """Waits while the queue is full: a slow reader slows its own operations down, and nothing grows."""
        await self._outbox.put(write_message(kind, message_id, payload))

    # ---- life and death

    def _renew(self, caller: Caller) -> None:
        self._caller = caller
        for ready in self._ready.values():
            ready.context.caller = caller

    def _forget(self, message_id: str) -> None:
        self._operations.pop(message_id, None)
        self._ready.pop(message_id, None)

    def _start(self, part: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(part)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Close):
            self._end(error)
        elif error is not None:
            internal(error, self._facts.request_id)
            self._end(Close(4500, f"Internal server error: mention {self._facts.request_id} when you ask about it."))

    def _end(self, close: Close | None) -> None:
        if not self._ended.done():
            self._ended.set_result(close)

    async def _stop_everything(self) -> None:
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)
