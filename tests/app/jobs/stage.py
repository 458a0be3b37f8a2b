"""Jobs of a queue that no other test uses, and a leader without its loops."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.caller import Caller, job_caller
from app.core.ids import NIL, new_id
from app.core.resources import Resources
from app.jobs.dispatching import Dispatches, Window, dispatch
from app.jobs.job import Job, Priority, job
from app.jobs.leadership import Leadership, take_leadership
from app.jobs.outbox import enqueue
from db.core.transaction import tenant_transaction


class Desk:
    """One queue with four kinds of job, by priority."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.queue = f"desk-{new_id().hex[-12:]}"
        self.kinds = {priority: _kind(self.queue, priority) for priority in Priority}

    def caller(self) -> Caller:
        return job_caller(self.resources, new_id(), "test")

    async def put(self, caller: Caller, count: int = 1, *, priority: Priority = Priority.NORMAL, **how: Any) -> None:
        async with caller.transaction():
            for _ in range(count):
                await enqueue(caller, self.kinds[priority](), **how)

    async def dispatch(self, size: int, *, after: UUID = NIL, only: Collection[UUID] | None = None) -> Dispatches:
        """`only` names the tenants of hints."""
        return await dispatch(
            await lead(self.resources),
            self.queue,
            Window(size),
            after=after,
            hinted=only or (),
            hinted_only=only is not None,
        )


def _kind(queue: str, priority: Priority) -> type[Job]:
    @job(f"{queue}.{priority.name.lower()}", queue=queue, priority=priority, attempts=3)
    @dataclass(frozen=True, slots=True)
    class Errand(Job):
        pass

    return Errand


async def lead(resources: Resources, name: str = "test") -> Leadership:
    """Takes over from whatever led before."""
    while True:
        leadership = await take_leadership(resources.clock, name, lease_seconds=0.0)
        if leadership is not None:
            return leadership
        await asyncio.sleep(0.02)


async def rows_of(tenant_id: UUID) -> list[dict[str, Any]]:
    async with tenant_transaction(tenant_id, read_only=True) as transaction:
        rows = await transaction.fetch("SELECT * FROM jobs WHERE tenant_id = $1 ORDER BY id", tenant_id)
    return [dict(row) for row in rows]


async def change(tenant_id: UUID, assignment: str, *args: object) -> None:
    """Sets columns of all jobs of the tenant, as time or an accident would. Arguments are $2 and on."""
    async with tenant_transaction(tenant_id) as transaction:
        await transaction.execute(f"UPDATE jobs SET {assignment} WHERE tenant_id = $1", tenant_id, *args)
