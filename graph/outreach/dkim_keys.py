"""DKIM keys in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import dkim_keys as use
from app.outreach.dkim_keys import DkimKey as DkimKeyRow
from app.outreach.rules.dkim_key_states import DkimKeyState, record_name
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query

describe_enum(
    DkimKeyState,
    "Where a DKIM key stands.",
    {
        DkimKeyState.PENDING: "Made; its TXT record is to be published.",
        DkimKeyState.ACTIVE: "Mails of the domain are signed by it.",
        DkimKeyState.RETIRED: "It signs nothing more; its private half is forgotten.",
    },
)


# ---- types
@strawberry.type(description="A key that signs the mails of a domain (RFC 6376).")
class DkimKey(Node):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the key belongs to.")
    domain: str = strawberry.field(description="The domain whose mails it signs.")
    selector: str = strawberry.field(description="The key's selector, used once.")
    record_name: str = strawberry.field(description="The name of the TXT record to publish.")
    record_value: str = strawberry.field(description="The TXT record's value; split it where it exceeds 255 bytes.")
    state: DkimKeyState = strawberry.field(description="Where it stands.")
    created_at: datetime = strawberry.field(description="When it was made.")
    activated_at: datetime | None = strawberry.field(description="Since when mails are signed by it.")
    retired_at: datetime | None = strawberry.field(description="When it ended.")

    @staticmethod
    def of(row: DkimKeyRow) -> "DkimKey":
        return DkimKey(
            id=global_id("DkimKey", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            domain=row.domain,
            selector=row.selector,
            record_name=record_name(row.selector, row.domain),
            record_value=row.public_record,
            state=DkimKeyState(row.state),
            created_at=row.created_at,
            activated_at=row.activated_at,
            retired_at=row.retired_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[DkimKey | None]":
        rows = await use.dkim_keys_by_ids(context.caller, ids)
        return [DkimKey.of(row) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="What generateDkimKey needs.")
class GenerateDkimKeyInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to make it in.")
    domain: str = strawberry.field(description="The domain of the mailboxes' addresses.")


@strawberry.input(description="What activateDkimKey needs.")
class ActivateDkimKeyInput(IdempotentInput):
    dkim_key_id: strawberry.ID = strawberry.field(description="The pending key whose TXT record is published.")


@strawberry.input(description="What retireDkimKey needs.")
class RetireDkimKeyInput(IdempotentInput):
    dkim_key_id: strawberry.ID = strawberry.field(description="The key to retire.")


# ---- payloads
@strawberry.type(description="The answer of generateDkimKey.")
class GenerateDkimKeyPayload(Payload):
    dkim_key: DkimKey | None = strawberry.field(default=None, description="The new, pending key.")


@strawberry.type(description="The answer of activateDkimKey.")
class ActivateDkimKeyPayload(Payload):
    dkim_key: DkimKey | None = strawberry.field(default=None, description="The key that signs from now on.")


@strawberry.type(description="The answer of retireDkimKey.")
class RetireDkimKeyPayload(Payload):
    dkim_key: DkimKey | None = strawberry.field(default=None, description="The retired key.")


# ---- queries
@strawberry.type
class DkimKeyQueries:
    @query(uses=use.dkim_keys, description="The DKIM keys of a workspace, newest first.")
    async def dkim_keys(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        first: First = 25,
        after: After = None,
    ) -> Connection[DkimKey]:
        page = window(first, after)
        place = local_id(workspace_id, "Workspace")
        rows = await use.dkim_keys(info.context.caller, place, first=page.first, after=page.after)
        return connection(rows, DkimKey.of)


# ---- mutations
@strawberry.type
class DkimKeyMutations:
    @mutation(uses=use.generate_dkim_key, description="Makes a DKIM key; publish its TXT record, then activate it.")
    async def generate_dkim_key(
        self, info: Info, input: Annotated[GenerateDkimKeyInput, strawberry.argument(description="For which domain.")]
    ) -> GenerateDkimKeyPayload:
        workspace_id = local_id(input.workspace_id, "Workspace")
        row = await use.generate_dkim_key(info.context.caller, workspace_id, input.domain)
        return GenerateDkimKeyPayload(dkim_key=DkimKey.of(row))

    @mutation(
        uses=use.activate_dkim_key,
        description="Signs the domain's mails by this key. We do not look into DNS yet: publish its record first.",
    )
    async def activate_dkim_key(
        self, info: Info, input: Annotated[ActivateDkimKeyInput, strawberry.argument(description="Which key.")]
    ) -> ActivateDkimKeyPayload:
        row = await use.activate_dkim_key(info.context.caller, local_id(input.dkim_key_id, "DkimKey"))
        return ActivateDkimKeyPayload(dkim_key=DkimKey.of(row))

    @mutation(uses=use.retire_dkim_key, description="Ends a key for good.")
    async def retire_dkim_key(
        self, info: Info, input: Annotated[RetireDkimKeyInput, strawberry.argument(description="Which key.")]
    ) -> RetireDkimKeyPayload:
        row = await use.retire_dkim_key(info.context.caller, local_id(input.dkim_key_id, "DkimKey"))
        return RetireDkimKeyPayload(dkim_key=DkimKey.of(row))
