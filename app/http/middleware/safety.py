"""Pure ASGI: a request id for logs and answers, and the headers that every answer of an API should have."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.core.ids import new_id

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_ONE_YEAR = "max-age=31536000; includeSubDomains"


class SafetyHeaders:
    """Sets `scope["request_id"]`, answers it as X-Request-Id, and adds what an answer does not set itself.

    HSTS (RFC 6797) goes out on https only, where browsers heed it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = new_id().hex
        scope["request_id"] = request_id
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = request_id
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", _ONE_YEAR)
            await send(message)

        await self._app(scope, receive, send_safely)
