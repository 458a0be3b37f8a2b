"""Events to watch: a tenant, recording, and the leader's numbering without its loops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import ClassVar
from uuid import UUID

from app.core.caller import Caller, CallerKind, job_caller
from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from app.jobs.leadership import Leadership, take_leadership
from app.live.feed import LiveFeed
from app.live.numbering import NumberedEvent, number_events, publish
from app.live.ports import CallerCheck
from app.live.recording import record
from app.live.topics import LiveEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class LampSwitched(LiveEvent):
    topic: ClassVar[str] = "lamp.switched"
    object_type: ClassVar[str] = "Lamp"

    number: int
    house_id: UUID | None = None


class Roles:
    """A CallerCheck that tests turn: who is gone, and what others may by now."""

    def __init__(self) -> None:
        self.gone: set[UUID | None] = set()
        self.now: dict[UUID | None, tuple[TenantRole, dict[UUID, WorkspaceRole]]] = {}

    async def current(self, caller: Caller) -> Caller:
        if caller.user_id in self.gone:
            raise Unauthenticated
        if caller.user_id in self.now:
            role, workspaces = self.now[caller.user_id]
            return replace(caller, role=role, workspaces=workspaces)
        return caller


@asynccontextmanager
async def watching(
    resources: Resources, *, redis_url: str | None = None, check_seconds: float = 0.4
) -> AsyncIterator[tuple[Resources, Roles]]:
    """Resources of one API process, with a feed of its own."""
    feed = LiveFeed(redis_url or resources.settings.redis_url, check_seconds=check_seconds)
    roles = Roles()
    try:
        yield replace(resources, ports={**resources.ports, LiveFeed: feed, CallerCheck: roles}), roles
    finally:
        await feed.close()


def user_of(resources: Resources, tenant_id: UUID, role: TenantRole, **workspaces: WorkspaceRole) -> Caller:
    return Caller(
        resources=resources,
        kind=CallerKind.USER,
        request_id="test",
        tenant=tenant_id,
        user_id=new_id(),
        role=role,
        workspaces={UUID(name): each for name, each in workspaces.items()},
    )


async def switch(caller: Caller, *numbers: int, workspace_id: UUID | None = None, **more: UUID) -> None:
    async with caller.transaction():
        for number in numbers:
            await record(
                caller,
                LampSwitched(
                    workspace_id=workspace_id,
                    object_id=more.get("lamp", LAMP),
                    version=number,
                    number=number,
                    house_id=more.get("house"),
                ),
            )


LAMP = new_id()


async def lead(resources: Resources, name: str = "test") -> Leadership:
    while True:
        leadership = await take_leadership(resources.clock, name, lease_seconds=0.0)
        if leadership is not None:
            return leadership
        await asyncio.sleep(0.02)


async def number(resources: Resources, *, publishing: bool = True) -> list[NumberedEvent]:
    leadership = await lead(resources)
    events = await number_events(leadership.transaction, limit=10_000)
    if publishing:
        await publish(resources.redis, events)
    return events


def tenant_caller(resources: Resources) -> Caller:
    return job_caller(resources, new_id(), "test")
