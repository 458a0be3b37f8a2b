"""The unsubscribe link: GET shows a page and changes nothing, POST unsubscribes (RFC 8058), without login or redirect."""

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.core.resources import Resources
from app.http.visitors import visitor
from app.outreach.unsubscribes import LinkUnknown, unsubscribe, unsubscribe_offer

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title>
</head><body><main><h1>{title}</h1>{body}</main></body></html>
"""
_BUTTON = """<p>No more mail will be sent to <strong>{email}</strong>.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>"""
_DONE = "<p><strong>{email}</strong> gets no more mail from this sender.</p>"
_UNKNOWN = "<p>This link is not complete or not ours. Copy it whole from the mail, or reply to the mail instead.</p>"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}


def unsubscribe_routes(resources: Resources) -> list[Route]:
    """GET, HEAD and POST of /u/{token}. The POST's body is not needed: mail programs send `List-Unsubscribe=One-Click`."""

    async def show(request: Request) -> Response:
        try:
            offer = await unsubscribe_offer(visitor(resources, request), request.path_params["token"])
        except LinkUnknown:
            return _page(404, "Unknown link", _UNKNOWN)
        if offer.is_suppressed:
            return _page(200, "You are unsubscribed", _DONE.format(email=html.escape(offer.email)))
        return _page(200, "Unsubscribe?", _BUTTON.format(email=html.escape(offer.email)))

    async def act(request: Request) -> Response:
        try:
            done = await unsubscribe(visitor(resources, request), request.path_params["token"])
        except LinkUnknown:
            return _page(404, "Unknown link", _UNKNOWN)
        return _page(200, "You are unsubscribed", _DONE.format(email=html.escape(done.email)))

    return [
        Route("/u/{token}", show, methods=["GET", "HEAD"]),
        Route("/u/{token}", act, methods=["POST"]),
    ]


def _page(status: int, title: str, body: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, body=body), status, headers=_HEADERS)
