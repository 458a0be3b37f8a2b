"""The tenant's settings in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.core.errors import NotFound
from app.identity import tenant_settings as use
from app.identity.tenant_settings import Tenant as TenantRow
from app.identity.tenant_settings import TenantSettings as SettingsRow
from graph.context import Context, Info
from graph.core.ids import global_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query


# ---- types
@strawberry.type(description="What holds for the whole tenant.")
class TenantSettings(Node):
    name: str = strawberry.field(description="The tenant's name.")
    postal_address: str = strawberry.field(
        description="Stands in every campaign mail; empty until it is set, and no campaign can be launched before."
    )
    time_zone: str = strawberry.field(description="A name of the IANA database, such as Europe/Berlin.")
    default_daily_cap: int = strawberry.field(description="How many mails a new mailbox sends a day at most.")
    default_minimum_gap_seconds: int = strawberry.field(description="The pause between two mails of a new mailbox.")
    version: int = strawberry.field(description="Rises with every change.")
    updated_at: datetime = strawberry.field(description="When they were last changed.")

    @staticmethod
    def of(rows: tuple[TenantRow, SettingsRow]) -> "TenantSettings":
        tenant, row = rows
        return TenantSettings(
            id=global_id("TenantSettings", row.id),
            name=tenant.name,
            postal_address=row.postal_address,
            time_zone=row.time_zone,
            default_daily_cap=row.default_daily_cap,
            default_minimum_gap_seconds=row.default_minimum_gap_seconds,
            version=row.version,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[TenantSettings | None]":
        try:
            rows = await use.tenant_settings(context.caller)
        except NotFound:
            return [None for _ in ids]
        return [TenantSettings.of(rows) if rows[1].id == each else None for each in ids]


# ---- inputs
@strawberry.input(description="What updateTenantSettings changes; fields that are left out or null stay as they are.")
class UpdateTenantSettingsInput(IdempotentInput):
    name: str | None = strawberry.field(default=None, description="The tenant's new name.")
    postal_address: str | None = strawberry.field(
        default=None, description="The postal address, in lines; an empty text removes it."
    )
    time_zone: str | None = strawberry.field(default=None, description="A name of the IANA database.")
    default_daily_cap: int | None = strawberry.field(default=None, description="1 to 100,000 mails a day.")
    default_minimum_gap_seconds: int | None = strawberry.field(default=None, description="0 to 86,400 seconds.")


# ---- payloads
@strawberry.type(description="The answer of updateTenantSettings.")
class UpdateTenantSettingsPayload(Payload):
    tenant_settings: TenantSettings | None = strawberry.field(default=None, description="The settings as they are now.")


# ---- queries
@strawberry.type
class TenantSettingsQueries:
    @query(uses=use.tenant_settings, description="The settings of the tenant you are in.")
    async def tenant_settings(self, info: Info) -> TenantSettings | None:
        return TenantSettings.of(await use.tenant_settings(info.context.caller))


# ---- mutations
@strawberry.type
class TenantSettingsMutations:
    @mutation(uses=use.update_tenant_settings, description="Changes the settings of the tenant you are in.")
    async def update_tenant_settings(
        self,
        info: Info,
        input: Annotated[UpdateTenantSettingsInput, strawberry.argument(description="What to change.")],
    ) -> UpdateTenantSettingsPayload:
        change = use.SettingsChange(
            name=input.name,
            postal_address=input.postal_address,
            time_zone=input.time_zone,
            default_daily_cap=input.default_daily_cap,
            default_minimum_gap_seconds=input.default_minimum_gap_seconds,
        )
        rows = await use.update_tenant_settings(info.context.caller, change)
        return UpdateTenantSettingsPayload(tenant_settings=TenantSettings.of(rows))
