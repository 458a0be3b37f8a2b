"""Campaigns live: their latest state, and every event of them and their messages."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import campaign_views as views
from app.outreach.campaign_views import StoredEvent
from graph.context import Info
from graph.core.ids import global_id, local_id
from graph.core.scalars import JsonObject
from graph.core.subscription import subscription
from graph.outreach.campaigns import Campaign


# ---- types
@strawberry.type(description="A fact about a campaign or one of its messages, in the order of the tenant's events.")
class CampaignEvent:
    cursor: str = strawberry.field(description="Where the event stands: watch on after it.")
    topic: str = strawberry.field(description="What happened, such as `message.sent`.")
    object_id: strawberry.ID = strawberry.field(description="The campaign or message that it happened to.")
    version: int = strawberry.field(description="The object's version after it.")
    at: datetime = strawberry.field(description="When it happened.")
    recipient: str | None = strawberry.field(description="The message's address, for events of messages.")
    mailbox_id: strawberry.ID | None = strawberry.field(description="The mailbox that sent it, for events of messages.")
    state: str | None = strawberry.field(description="The state after it, as the object's own type names it.")
    reason: str | None = strawberry.field(description="Why, in words.")
    reply: str | None = strawberry.field(description="The mail server's own words.")
    payload: JsonObject = strawberry.field(description="All that was recorded; its ids are not global ones.")

    @staticmethod
    def of(event: StoredEvent) -> "CampaignEvent":
        said = event.payload
        mailbox_id = said.get("mailbox_id")
        state = said.get("state")
        return CampaignEvent(
            cursor=event.cursor,
            topic=event.topic,
            object_id=global_id(event.object_type, event.object_id),
            version=event.version,
            at=event.created_at,
            recipient=said.get("recipient"),
            mailbox_id=None if mailbox_id is None else global_id("Mailbox", UUID(mailbox_id)),
            state=None if state is None else str(state).upper(),
            reason=said.get("reason"),
            reply=said.get("reply"),
            payload=JsonObject(dict(said)),
        )


# ---- subscriptions
@strawberry.type
class CampaignSubscriptions:
    @subscription(uses=views.campaign_status, description="A campaign now and after changes, at most once a second.")
    async def campaign_status(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The campaign to watch.")]
    ) -> AsyncIterator[Campaign]:
        watched = views.campaign_status(info.context.caller, local_id(id, "Campaign"))
        async with aclosing(watched) as changes:
            async for view in changes:
                yield Campaign.of(view)

    @subscription(
        uses=views.campaign_events, description="Every event of a campaign and its messages, once and in order."
    )
    async def campaign_events(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The campaign to watch.")],
        after: Annotated[
            str | None, strawberry.argument(description="The cursor of the last event seen; from now on when left out.")
        ] = None,
    ) -> AsyncIterator[CampaignEvent]:
        watched = views.campaign_events(info.context.caller, local_id(id, "Campaign"), after=after)
        async with aclosing(watched) as events:
            async for event in events:
                yield CampaignEvent.of(event)
