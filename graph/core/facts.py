"""What a connection tells about itself: the few headers that we read, the client's address, the request's id."""

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from app.core.door import ConnectionFacts
from app.core.ids import new_id

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_LENGTH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Headers:
    """The request headers that matter here, decoded once."""

    accept: str | None
    authorization: str | None
    content_type: str | None
    content_length: int
    user_agent: str
    request_id: str | None

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> "Headers":
        """Repeated Accept headers are one list (RFC 9110, section 5.3); of any other the last counts."""
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            found[name] = found[name] + b"," + value if name == b"accept" and name in found else value
        text = {name: value.decode("latin-1") for name, value in found.items()}
        length = text.get(b"content-length", "")
        return cls(
            accept=text.get(b"accept"),
            authorization=text.get(b"authorization"),
            content_type=text.get(b"content-type"),
            content_length=int(length) if length.isdecimal() and len(length) <= _MOST_LENGTH_DIGITS else 0,
            user_agent=text.get(b"user-agent", "")[:400],
            request_id=text.get(b"x-request-id"),
        )


def connection_facts(scope: MutableMapping[str, Any], headers: Headers) -> ConnectionFacts:
    """The request id is the middleware's, else the client's when it is harmless text, else a new one."""
    given = scope.get("request_id") or headers.request_id
    request_id = given if given is not None and _REQUEST_ID.fullmatch(given) else new_id().hex
    client = scope.get("client")
    return ConnectionFacts(address=client[0] if client else "", user_agent=headers.user_agent, request_id=request_id)
