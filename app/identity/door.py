"""The door: from an access token to a caller, with the session looked at again at most five seconds later."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType
from uuid import UUID

from app.core.caller import Caller, CallerKind, anonymous_caller
from app.core.door import ConnectionFacts
from app.core.errors import Unauthenticated
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from app.identity.access_tokens import AccessClaims, AccessTokens
from db.core.transaction import tenant_transaction
from db.queries.identity import sessions

REMEMBERED_SECONDS = 4.0  # with the query's own time, revocation is seen within five
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Rights:
    """What the session's row said when it was asked, at `asked_at` of the monotonic clock. No role: it is over."""

    asked_at: float
    user_id: UUID | None
    role: TenantRole | None
    workspaces: Mapping[UUID, WorkspaceRole]


class SessionDoor:
    """Implements app.core.door.Door. Remembers checked tokens until they end, and rights for four seconds.

    That a session is over is not remembered: while a password changes, the session that goes on is over for a moment.
    """

    def __init__(self, resources: Resources, *, most_remembered: int = MOST_REMEMBERED) -> None:
        self._resources = resources
        self._most = most_remembered
        self._claims: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._rights: OrderedDict[tuple[UUID, UUID], _Rights] = OrderedDict()
        self._asking: dict[tuple[UUID, UUID], asyncio.Task[_Rights]] = {}

    async def admit(self, authorization: str | None, facts: ConnectionFacts) -> Caller:
        """Raises Unauthenticated: malformed, unknown, expired, signed out, no member any more, password changed."""
        if authorization is None:
            return anonymous_caller(
                self._resources, facts.request_id, address=facts.address, user_agent=facts.user_agent
            )
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the access token as `Authorization: Bearer <token>`.")
        claims = self._read(token.strip())
        rights = await self._rights_of(claims.tenant_id, claims.session_id)
        if rights.role is None or rights.user_id != claims.user_id:
            raise Unauthenticated("This session is over: sign in again.")
        return Caller(
            resources=self._resources,
            kind=CallerKind.USER,
            request_id=facts.request_id,
            tenant=claims.tenant_id,
            user_id=claims.user_id,
            session_id=claims.session_id,
            role=rights.role,
            workspaces=rights.workspaces,
            address=facts.address,
            user_agent=facts.user_agent,
            expires_at=claims.expires_at,
        )

    async def current(self, caller: Caller) -> Caller:
        """As app.live.ports.CallerCheck: the caller with the rights that its session has now. Raises Unauthenticated."""
        if caller.session_id is None:
            raise Unauthenticated
        rights = await self._rights_of(caller.tenant_id, caller.session_id)
        is_over = caller.expires_at is not None and caller.expires_at <= self._resources.clock.now()
        if is_over or rights.role is None or rights.user_id != caller.user_id:
            raise Unauthenticated("This session is over: sign in again.")
        return replace(caller, role=rights.role, workspaces=rights.workspaces)

    def _read(self, token: str) -> AccessClaims:
        now = self._resources.clock.now()
        key = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._claims.get(key)
        if known is not None and now < known.expires_at:
            return known
        self._claims.pop(key, None)
        claims = self._resources.port(AccessTokens).read(token, now=now)
        self._claims[key] = claims
        if len(self._claims) > self._most:
            self._claims.popitem(last=False)
        return claims

    async def _rights_of(self, tenant_id: UUID, session_id: UUID) -> _Rights:
        key = (tenant_id, session_id)
        known = self._rights.get(key)
        if known is not None and known.role is not None and time.monotonic() - known.asked_at < REMEMBERED_SECONDS:
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(tenant_id, session_id))
            asking.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(asking)

    async def _ask(self, tenant_id: UUID, session_id: UUID) -> _Rights:
        """Asks the session's row: once for all who want to know at this moment, such as a thousand sockets of one session."""
        asked_at = time.monotonic()
        async with tenant_transaction(tenant_id, read_only=True):
            row = await sessions.admission(session_id, at=self._resources.clock.now())
        rights = _Rights(asked_at, None, None, MappingProxyType({}))
        if row is not None:
            roles = dict(zip(row.workspace_ids, map(WorkspaceRole, row.workspace_roles), strict=True))
            rights = _Rights(asked_at, row.user_id, TenantRole(row.role), MappingProxyType(roles))
        self._remember((tenant_id, session_id), rights)
        return rights

    def _asked(self, key: tuple[UUID, UUID], done: "asyncio.Task[_Rights]") -> None:
        """Whoever waits raises what went wrong; when nobody waits any more, nobody needs to know."""
        del self._asking[key]
        if not done.cancelled():
            done.exception()

    def _remember(self, key: tuple[UUID, UUID], rights: _Rights) -> None:
        """An answer that was asked for earlier never replaces a later one."""
        present = self._rights.get(key)
        if present is None or present.asked_at <= rights.asked_at:
            self._rights[key] = rights
            self._rights.move_to_end(key)
        if len(self._rights) > self._most:
            self._rights.popitem(last=False)
