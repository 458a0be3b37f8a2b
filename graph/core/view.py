"""GraphQL over HTTP: POST of JSON, one operation, in and out. Pure ASGI, no request or response object on the way."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from app.core.door import ConnectionFacts, Door
from graph.core.admission import admitted
from graph.core.engine import Answer, Engine, Stopped
from graph.core.errors import bad_input, internal
from graph.core.facts import Headers, connection_facts
from graph.core.media import JSON, answer_type, is_json, status_of
from graph.core.request import Malformed, Request, read_json, read_request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BODY_BYTES = 1024 * 1024
PATIENCE_SECONDS = 20.0  # for a whole body of that size at most
_CLOSE = ((b"connection", b"close"),)


class Gone(Exception):
    """The client left before its request was complete."""


class Rejected(Exception):
    """An HTTP request that is no GraphQL request: its status, a sentence, and headers that say what to do."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class HttpView:
    """`POST /graphql`."""

    def __init__(self, engine: Engine, door: Door, *, patience_seconds: float) -> None:
        self._engine = engine
        self._door = door
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers.of(scope)
        facts = connection_facts(scope, headers)
        try:
            media_type = self._negotiate(scope, headers)
            request = await read_post(headers, receive, self._patience_seconds)
            answer = await self._answer(request, headers, facts)
        except Gone:
            return
        except Rejected as error:
            body = {"errors": [bad_input(error.message)]}
            await respond(send, error.status, JSON, body, request_id=facts.request_id, headers=error.headers)
        except Exception as error:  # noqa: BLE001 - logged, and answered as INTERNAL or AWAY
            await respond_answer(send, failure(error, facts.request_id), JSON, facts.request_id)
        else:
            await respond_answer(send, answer, media_type, facts.request_id)

    def _negotiate(self, scope: Scope, headers: Headers) -> str:
        if scope["method"] != "POST":
            raise Rejected(405, "Send GraphQL operations with POST.", ((b"allow", b"POST"),))
        media_type = answer_type(headers.accept)
        if media_type is None:
            raise Rejected(
                406, "Answers are application/graphql-response+json or application/json: accept one of them."
            )
        return media_type

    async def _answer(self, request: Request, headers: Headers, facts: ConnectionFacts) -> Answer:
        try:
            ready = await admitted(self._engine, self._door, request, authorization=headers.authorization, facts=facts)
            return await self._engine.run(ready)
        except Stopped as stopped:
            return stopped.answer


async def read_post(headers: Headers, receive: Receive, patience_seconds: float) -> Request:
    """The request in a POST's body. Raises Rejected (415, 413, 408, 400), Gone."""
    if not is_json(headers.content_type):
        raise Rejected(415, "Send the request as Content-Type: application/json, in UTF-8.")
    try:
        async with asyncio.timeout(patience_seconds):
            body = await _body(headers, receive)
        return read_request(read_json(body))
    except TimeoutError:
        sentence = f"The body was not complete within {patience_seconds:g} seconds: send it at once."
        raise Rejected(408, sentence, _CLOSE) from None
    except Malformed as error:
        raise Rejected(400, error.message) from None


async def _body(headers: Headers, receive: Receive) -> bytes:
    if headers.content_length > MOST_BODY_BYTES:
        raise Rejected(413, f"The body is larger than {MOST_BODY_BYTES} bytes, which is the limit.")
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            raise Rejected(413, f"The body is larger than {MOST_BODY_BYTES} bytes, which is the limit.")
        if not message.get("more_body", False):
            return body


def failure(error: Exception, request_id: str) -> Answer:
    """The answer to a request that failed before its operation ran, as at the door."""
    return Answer({"errors": [internal(error, request_id)]}, is_denied=True)


async def respond_answer(send: Send, answer: Answer, media_type: str, request_id: str) -> None:
    """An answer with the status and headers that its code asks for."""
    status = status_of(answer, media_type)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if status == 401:
        headers = ((b"www-authenticate", b'Bearer realm="penguinmails"'),)
    elif status in (429, 503):
        headers = ((b"retry-after", str(answer.retry_after_seconds or 1).encode()),)
    await respond(send, status, media_type, answer.body, request_id=request_id, headers=headers)


async def respond(
    send: Send,
    status: int,
    media_type: str,
    body: dict[str, Any],
    *,
    request_id: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """One complete JSON response."""
    content = orjson.dumps(body)
    own = [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(content)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": content})
