"""A door whose tokens are a dictionary that tests change."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from app.core.caller import Caller, CallerKind, anonymous_caller
from app.core.door import ConnectionFacts
from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources


@dataclass
class FakeDoor:
    """Keeps what app.core.door.Door promises."""

    resources: Resources
    callers: dict[str, Caller] = field(default_factory=dict)
    asked: int = 0
    broken: Exception | None = None

    async def admit(self, authorization: str | None, facts: ConnectionFacts) -> Caller:
        self.asked += 1
        if self.broken is not None:
            raise self.broken
        if authorization is None:
            return anonymous_caller(self.resources, facts.request_id, address=facts.address)
        caller = self.callers.get(authorization.removeprefix("Bearer "))
        if caller is None or (caller.expires_at is not None and caller.now() >= caller.expires_at):
            raise Unauthenticated
        return replace(caller, request_id=facts.request_id, address=facts.address)

    def user(
        self,
        token: str,
        *,
        tenant: UUID | None = None,
        role: TenantRole = TenantRole.OWNER,
        workspaces: dict[UUID, WorkspaceRole] | None = None,
        expires_at: datetime | None = None,
    ) -> Caller:
        """Lets `Bearer <token>` in, as a new user of a new tenant unless told otherwise."""
        caller = Caller(
            resources=self.resources,
            kind=CallerKind.USER,
            request_id="test",
            tenant=tenant or new_id(),
            user_id=new_id(),
            session_id=new_id(),
            role=role,
            workspaces=workspaces or {},
            expires_at=expires_at,
        )
        self.callers[token] = caller
        return caller
