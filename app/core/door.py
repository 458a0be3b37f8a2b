"""The door of the API: who stands behind a request. Identity implements it; GraphQL and HTTP ask it."""

from dataclasses import dataclass
from typing import Protocol

from app.core.caller import Caller


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What the transport knows: the client's address (behind trusted proxies, the forwarded one), and the request's id."""

    address: str
    user_agent: str
    request_id: str


class Door(Protocol):
    """Admits requests. Asked for every HTTP request, and for open sockets every few seconds."""

    async def admit(self, authorization: str | None, facts: ConnectionFacts) -> Caller:
        """The caller of an `Authorization` value such as `Bearer pm_...`; an anonymous one for None.

        Raises Unauthenticated for a token that is malformed, unknown, expired or revoked.
        """
        ...
