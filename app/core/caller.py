"""Who acts now. Every use case gets a caller first, and reaches its tenant's data only through it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from app.core.errors import Forbidden, Unauthenticated
from app.core.permissions import (
    TENANT_PERMISSIONS,
    WORKSPACE_PERMISSIONS,
    Permission,
    TenantRole,
    WorkspaceRole,
)
from app.core.resources import Resources
from db.core.transaction import Opening, Transaction, content_transaction, tenant_transaction


class CallerKind(StrEnum):
    ANONYMOUS = "anonymous"
    USER = "user"
    API_KEY = "api_key"
    OAUTH_CLIENT = "oauth_client"
    JOB = "job"
    STAFF = "staff"


class Purse(StrEnum):
    """What pays for a request; each holds a budget of its own. So refused documents cannot spend what people need who sign
    in from the same address."""

    REQUESTS = "requests"
    SIGN_IN = "sign_in"


class Claim(Protocol):
    """An idempotency claim: marks itself done inside the use case's own writing transaction."""

    def bind(self, transaction: Transaction) -> None: ...


_NO_WORKSPACES: Mapping[UUID, WorkspaceRole] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Caller:
    """Made by the door (HTTP, WebSocket) or by the job handler; never by a use case."""

    resources: Resources
    kind: CallerKind
    request_id: str
    tenant: UUID | None = None
    user_id: UUID | None = None
    session_id: UUID | None = None
    role: TenantRole | None = None
    workspaces: Mapping[UUID, WorkspaceRole] = field(default_factory=lambda: _NO_WORKSPACES)
    address: str = ""
    user_agent: str = ""
    expires_at: datetime | None = None
    claim: Claim | None = None
    purse: Purse = Purse.REQUESTS

    @property
    def tenant_id(self) -> UUID:
        """The tenant that the caller speaks for. Raises Unauthenticated when there is none."""
        if self.tenant is None:
            raise Unauthenticated
        return self.tenant

    @property
    def actor(self) -> str:
        """Who it is, for the audit trail and for budgets: `user:<id>`, `job`, or the address of an anonymous caller."""
        if self.kind is CallerKind.ANONYMOUS:
            return f"anonymous:{self.address}"
        return self.kind if self.user_id is None else f"{self.kind}:{self.user_id}"

    def now(self) -> datetime:
        return self.resources.clock.now()

    def transaction(self, *, read_only: bool = False) -> Opening:
        """The tenant's OLTP transaction. A writing one carries the caller's idempotency claim with it."""
        opening = tenant_transaction(self.tenant_id, read_only=read_only)
        if self.claim is None or read_only:
            return opening
        return _Claimed(opening, self.claim)

    def content_transaction(self, *, read_only: bool = False) -> Opening:
        """The tenant's Content transaction; never while an OLTP one is open."""
        return content_transaction(self.tenant_id, read_only=read_only)

    def may(self, permission: Permission, workspace_id: UUID | None = None) -> bool:
        """Whether the role allows it: in `workspace_id`, or, without one, in the tenant or any workspace of it."""
        if self.kind is CallerKind.JOB:
            return True
        if self.role is not None and permission in TENANT_PERMISSIONS[self.role]:
            return True
        if workspace_id is not None:
            role = self.workspaces.get(workspace_id)
            return role is not None and permission in WORKSPACE_PERMISSIONS[role]
        return any(permission in WORKSPACE_PERMISSIONS[role] for role in self.workspaces.values())

    def must(self, permission: Permission, workspace_id: UUID | None = None) -> None:
        """Raises Forbidden unless `may`."""
        if not self.may(permission, workspace_id):
            raise Forbidden(permission)

    def sees(self, workspace_id: UUID) -> bool:
        """Whether the workspace exists for this caller at all: what it does not see is answered as not found."""
        return self.sees_every_workspace or workspace_id in self.workspaces

    @property
    def sees_every_workspace(self) -> bool:
        return self.kind is CallerKind.JOB or self.role in (TenantRole.OWNER, TenantRole.ADMIN)

    @property
    def visible_workspaces(self) -> list[UUID] | None:
        """Ids to filter lists by, or None when the caller sees them all."""
        return None if self.sees_every_workspace else list(self.workspaces)

    def with_claim(self, claim: Claim) -> "Caller":
        return replace(self, claim=claim)


class _Claimed:
    """A transaction that the idempotency claim joins as it opens."""

    __slots__ = ("_claim", "_opening")

    def __init__(self, opening: Opening, claim: Claim) -> None:
        self._opening = opening
        self._claim = claim

    async def __aenter__(self) -> Transaction:
        transaction = await self._opening.__aenter__()
        self._claim.bind(transaction)
        return transaction

    async def __aexit__(self, *error: object) -> bool | None:
        return await self._opening.__aexit__(*error)  # type: ignore[arg-type]


def job_caller(resources: Resources, tenant_id: UUID, request_id: str) -> Caller:
    """A job may do everything, within its tenant."""
    return Caller(resources=resources, kind=CallerKind.JOB, request_id=request_id, tenant=tenant_id)


def anonymous_caller(resources: Resources, request_id: str, *, address: str = "", user_agent: str = "") -> Caller:
    """Nobody yet: reaches sign-in operations only."""
    return Caller(
        resources=resources,
        kind=CallerKind.ANONYMOUS,
        request_id=request_id,
        address=address,
        user_agent=user_agent,
    )
