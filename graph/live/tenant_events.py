"""Everything that happens in a tenant, live and in order."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry

from app.live import watching as use
from app.live.watching import StoredEvent
from graph.context import Info
from graph.core.ids import global_id
from graph.core.scalars import JsonObject
from graph.core.subscription import subscription


# ---- types
@strawberry.type(description="A fact that happened to one object.")
class TenantEvent:
    cursor: str = strawberry.field(description="Where the event stands: watch on after it.")
    topic: str = strawberry.field(description="What happened, such as `campaign.status_changed`.")
    at: datetime = strawberry.field(description="When it happened.")
    workspace_id: strawberry.ID | None = strawberry.field(
        description="The workspace that it happened in; null when it is about the tenant."
    )
    object_id: strawberry.ID = strawberry.field(description="The object that it happened to, for `node`.")
    version: int = strawberry.field(description="The object's version after it.")
    payload: JsonObject = strawberry.field(description="All that was recorded; its ids are not global ones.")

    @staticmethod
    def of(event: StoredEvent) -> "TenantEvent":
        workspace_id = event.workspace_id
        return TenantEvent(
            cursor=event.cursor,
            topic=event.topic,
            at=event.created_at,
            workspace_id=None if workspace_id is None else global_id("Workspace", workspace_id),
            object_id=global_id(event.object_type, event.object_id),
            version=event.version,
            payload=JsonObject(dict(event.payload)),
        )


# ---- subscriptions
@strawberry.type
class TenantEventSubscriptions:
    @subscription(
        uses=use.tenant_events,
        description="Every event that the caller may see, once and in order; resumable after any cursor of the last 30 days.",
    )
    async def tenant_events(
        self,
        info: Info,
        after: Annotated[
            str | None, strawberry.argument(description="The cursor of the last event seen; from now on when left out.")
        ] = None,
    ) -> AsyncIterator[TenantEvent]:
        async with aclosing(use.tenant_events(info.context.caller, after)) as events:
            async for event in events:
                yield TenantEvent.of(event)
