"""Server-sent events (graphql-sse, distinct connections mode): POST an operation, read `next` events until `complete`.

Stands on a path of its own, because some clients list text/event-stream in every Accept.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import orjson

from app.core.caller import Caller
from app.core.door import ConnectionFacts, Door
from app.core.errors import Unauthenticated
from graph.core.admission import admitted
from graph.core.crowd import Crowd, Crowded
from graph.core.engine import Answer, Engine, Ready, Stopped
from graph.core.errors import TopLevelCode, bad_input, internal, refusal
from graph.core.facts import Headers, connection_facts
from graph.core.media import JSON, accepts_events
from graph.core.view import Gone, Receive, Rejected, Scope, Send, failure, read_post, respond, respond_answer
from graph.core.watch import Rights, RightsLost

HEARTBEAT_SECONDS = 12.0
RETRY_SECONDS = 5
_COMPLETE = b"event: complete\ndata:\n\n"
_HEARTBEAT = b":\n\n"
_FAREWELL_SECONDS = 5.0


class StreamView:
    """`POST /graphql/stream`."""

    def __init__(
        self,
        engine: Engine,
        door: Door,
        crowd: Crowd,
        *,
        heartbeat_seconds: float,
        recheck_seconds: float,
        patience_seconds: float,
    ) -> None:
        self._engine = engine
        self._door = door
        self._crowd = crowd
        self._heartbeat_seconds = heartbeat_seconds
        self._recheck_seconds = recheck_seconds
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers.of(scope)
        facts = connection_facts(scope, headers)
        try:
            if scope["method"] != "POST":
                raise Rejected(405, "Send GraphQL operations with POST.", ((b"allow", b"POST"),))
            if not accepts_events(headers.accept):
                raise Rejected(406, "This path answers text/event-stream: accept it, or use /graphql.")
            request = await read_post(headers, receive, self._patience_seconds)
            rights = Rights(self._door, headers.authorization, facts, self._recheck_seconds)
            ready = await admitted(self._engine, self._door, request, authorization=headers.authorization, facts=facts)
            place = self._crowd.of_caller(ready.context.caller)
        except Gone:
            return
        except Crowded as crowded:
            await respond_answer(send, _too_many(crowded), JSON, facts.request_id)
        except Rejected as error:
            body = {"errors": [bad_input(error.message)]}
            await respond(send, error.status, JSON, body, request_id=facts.request_id, headers=error.headers)
        except Stopped as stopped:
            await self._stopped(stopped.answer, send, facts)
        except Exception as error:  # noqa: BLE001 - logged, and answered as INTERNAL or AWAY
            await respond_answer(send, failure(error, facts.request_id), JSON, facts.request_id)
        else:
            with place:
                await self._serve(ready, rights, receive, send)

    async def _stopped(self, answer: Answer, send: Send, facts: ConnectionFacts) -> None:
        """A denial is an HTTP answer; a bad document is an event, for a client that reads only events."""
        if answer.is_denied:
            await respond_answer(send, answer, JSON, facts.request_id)
            return
        await _start(send, facts)
        await _event(send, answer.body)
        await send({"type": "http.response.body", "body": _COMPLETE})

    async def _serve(self, ready: Ready, rights: Rights, receive: Receive, send: Send) -> None:
        await _start(send, rights.facts)
        sending = asyncio.Lock()
        parts = [
            asyncio.create_task(self._events(ready, send, sending)),
            asyncio.create_task(_until_gone(receive)),
            asyncio.create_task(self._heartbeats(send, sending)),
        ]
        if rights.authorization is not None:
            parts.append(asyncio.create_task(rights.watch(ready.context.caller, _renewing(ready))))
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(parts)
        if parts[1] not in done:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._farewell([task.exception() for task in done], send, rights.facts)

    async def _farewell(self, failures: list[BaseException | None], send: Send, facts: ConnectionFacts) -> None:
        """Why the stream ends, if not by itself; then `complete`."""
        for error in failures:
            if isinstance(error, RightsLost):
                await _event(send, {"errors": [refusal(Unauthenticated(str(error)))]})
            elif error is not None:
                await _event(send, {"errors": [internal(error, facts.request_id)]})
        await send({"type": "http.response.body", "body": _COMPLETE})

    async def _events(self, ready: Ready, send: Send, sending: asyncio.Lock) -> None:
        async with aclosing(self._engine.stream(ready)) as answers:
            async for answer in answers:
                async with sending:
                    await _event(send, answer.body)

    async def _heartbeats(self, send: Send, sending: asyncio.Lock) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            async with sending:
                await send({"type": "http.response.body", "body": _HEARTBEAT, "more_body": True})


def _too_many(crowded: Crowded) -> Answer:
    extensions = {"code": TopLevelCode.THROTTLED.value, "retryAfter": RETRY_SECONDS}
    return Answer({"errors": [{"message": str(crowded), "extensions": extensions}]}, is_denied=True)


def _renewing(ready: Ready) -> Callable[[Caller], None]:
    def renew(caller: Caller) -> None:
        ready.context.caller = caller

    return renew


async def _start(send: Send, facts: ConnectionFacts) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-request-id", facts.request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _HEARTBEAT, "more_body": True})


async def _event(send: Send, body: dict[str, Any]) -> None:
    data = b"event: next\ndata: " + orjson.dumps(body) + b"\n\n"
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels what still runs, and waits until every generator is closed."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
