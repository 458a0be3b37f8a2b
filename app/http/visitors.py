"""Who comes without a token: the caller of links that are their own keys."""

from starlette.requests import Request

from app.core.caller import Caller, anonymous_caller
from app.core.ids import new_id
from app.core.resources import Resources


def visitor(resources: Resources, request: Request) -> Caller:
    """An anonymous caller with the request's id, the client's address, and the first 300 characters of its user agent."""
    return anonymous_caller(
        resources,
        str(request.scope.get("request_id") or new_id().hex),
        address=request.client.host if request.client is not None else "",
        user_agent=request.headers.get("user-agent", "")[:300],
    )
