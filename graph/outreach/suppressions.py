"""Suppressions in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import suppressions as use
from app.outreach.rules.suppression_reasons import SuppressionReason
from app.outreach.suppressions import Suppression as SuppressionRow
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query

describe_enum(
    SuppressionReason,
    "Why an address is not written to.",
    {
        SuppressionReason.UNSUBSCRIBED: "Its owner opted out by the link of a mail.",
        SuppressionReason.BOUNCED: "A server said that it does not exist or takes no mail.",
        SuppressionReason.COMPLAINED: "Its owner reported a mail as unwanted.",
        SuppressionReason.MANUAL: "A person of the tenant suppressed it.",
    },
)


# ---- types
@strawberry.type(description="An address that nobody in the tenant writes to.")
class Suppression(Node):
    email: str = strawberry.field(description="The address, in lower case.")
    reason: SuppressionReason = strawberry.field(description="Why.")
    source: str = strawberry.field(description="Where it came from: `link`, `smtp` or `person`.")
    note: str | None = strawberry.field(description="A person's note, or the server's words.")
    campaign_id: strawberry.ID | None = strawberry.field(description="The campaign whose mail led to it, if any.")
    created_at: datetime = strawberry.field(description="Since when.")

    @staticmethod
    def of(row: SuppressionRow) -> "Suppression":
        return Suppression(
            id=global_id("Suppression", row.id),
            email=row.email_key,
            reason=SuppressionReason(row.reason),
            source=row.source,
            note=row.note,
            campaign_id=None if row.campaign_id is None else global_id("Campaign", row.campaign_id),
            created_at=row.created_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Suppression | None]":
        rows = await use.suppressions_by_ids(context.caller, ids)
        return [Suppression.of(row) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="What suppressContact needs: a contact or an address.")
class SuppressContactInput(IdempotentInput):
    contact_id: strawberry.ID | None = strawberry.field(default=None, description="The contact.")
    email: str | None = strawberry.field(default=None, description="An address, whether or not it is a contact's.")
    note: str | None = strawberry.field(default=None, description="Why; kept with it.")


@strawberry.input(description="What unsuppressContact needs.")
class UnsuppressContactInput(IdempotentInput):
    suppression_id: strawberry.ID = strawberry.field(description="The suppression to remove.")
    note: str = strawberry.field(description="Why it may be written to again; kept in the audit trail.")


# ---- payloads
@strawberry.type(description="The answer of suppressContact.")
class SuppressContactPayload(Payload):
    suppression: Suppression | None = strawberry.field(
        default=None, description="The suppression; an earlier one where the address had one."
    )


@strawberry.type(description="The answer of unsuppressContact.")
class UnsuppressContactPayload(Payload):
    removed_suppression_id: strawberry.ID | None = strawberry.field(
        default=None, description="The suppression that is gone."
    )


# ---- queries
@strawberry.type
class SuppressionQueries:
    @query(uses=use.suppressions, description="The tenant's suppressions, newest first.")
    async def suppressions(
        self,
        info: Info,
        email: Annotated[str | None, strawberry.argument(description="Only that of this address.")] = None,
        first: First = 25,
        after: After = None,
    ) -> Connection[Suppression]:
        page = window(first, after)
        rows = await use.suppressions(info.context.caller, email=email, first=page.first, after=page.after)
        return connection(rows, Suppression.of)


# ---- mutations
@strawberry.type
class SuppressionMutations:
    @mutation(uses=use.suppress_contact, description="Stops all mail to an address, in the whole tenant, at once.")
    async def suppress_contact(
        self, info: Info, input: Annotated[SuppressContactInput, strawberry.argument(description="Whom.")]
    ) -> SuppressContactPayload:
        row = await use.suppress_contact(
            info.context.caller,
            contact_id=None if input.contact_id is None else local_id(input.contact_id, "Contact"),
            email=input.email,
            note=input.note,
        )
        return SuppressContactPayload(suppression=Suppression.of(row))

    @mutation(uses=use.unsuppress_contact, description="Lets an address be written to again.")
    async def unsuppress_contact(
        self, info: Info, input: Annotated[UnsuppressContactInput, strawberry.argument(description="Which, and why.")]
    ) -> UnsuppressContactPayload:
        suppression_id = local_id(input.suppression_id, "Suppression")
        row = await use.unsuppress_contact(info.context.caller, suppression_id, note=input.note)
        return UnsuppressContactPayload(removed_suppression_id=global_id("Suppression", row.id))
