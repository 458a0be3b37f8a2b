"""What the sandbox got, over HTTP on loopback: for the demo, the tests, and whoever wants to see their mail."""

from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.inbox import Filter, Inbox, Stored

MOST = 1_000
_FILTERS = {
    "recipient": "recipient",
    "sender": "sender",
    "user": "user",
    "messageId": "message_id",
    "tenant": "tenant_id",
    "disposition": "disposition",
}


def http_api(inbox: Inbox) -> Starlette:
    """The ASGI application. It answers only requests that name this machine, so that no web page reaches it by DNS."""
    routes = _Routes(inbox)
    return Starlette(
        routes=[
            Route("/livez", routes.livez),
            Route("/messages", routes.messages),
            Route("/messages/{position:int}", routes.message),
            Route("/messages/{position:int}/raw", routes.raw),
            Route("/counts", routes.counts),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


class _Routes:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def livez(self, request: Request) -> Response:
        return _json({"status": "ok", "attempts": len(self._inbox)})

    async def messages(self, request: Request) -> Response:
        after = _number(request, "after", default=0, most=2**53)
        first = _number(request, "first", default=100, most=MOST)
        found, more = self._inbox.listed(_filter(request, "after", "first"), after=after, first=first)
        return _json({"messages": [_shown(stored) for stored in found], "hasMore": more})

    async def message(self, request: Request) -> Response:
        return _json(_shown(self._at(request)))

    async def raw(self, request: Request) -> Response:
        source = self._inbox.source(self._at(request))
        if source is None:
            raise HTTPException(404, "no mail was transmitted in this attempt")
        return Response(source, media_type="message/rfc822")

    async def counts(self, request: Request) -> Response:
        try:
            counted = self._inbox.counts(request.query_params.get("by", "disposition"), _filter(request, "by"))
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        return _json(counted)

    def _at(self, request: Request) -> Stored:
        stored = self._inbox.at(request.path_params["position"])
        if stored is None:
            raise HTTPException(404, "there is no such attempt")
        return stored


def _filter(request: Request, *others: str) -> Filter:
    unknown = set(request.query_params) - set(_FILTERS) - set(others)
    if unknown:
        raise HTTPException(400, f"unknown: {', '.join(sorted(unknown))}; known: {', '.join([*_FILTERS, *others])}")
    return Filter(**{_FILTERS[name]: value for name, value in request.query_params.items() if name in _FILTERS})


def _number(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise HTTPException(400, f"{name} is a number from 0 to {most}")
    return int(text)


def _shown(stored: Stored) -> dict[str, Any]:
    attempt = stored.attempt
    return {
        "position": stored.position,
        "receivedAt": attempt.received_at,
        "disposition": attempt.disposition,
        "behaviour": attempt.behaviour,
        "reply": attempt.reply,
        "user": attempt.user,
        "sender": attempt.sender,
        "recipients": attempt.recipients,
        "messageId": attempt.message_id,
        "tenantId": attempt.tenant_id,
        "subject": attempt.subject,
        "tls": attempt.tls,
        "sizeBytes": attempt.size_bytes,
    }


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
