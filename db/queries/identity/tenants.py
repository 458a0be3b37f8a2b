"""Tenants and their settings."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.rows import columns, insert_row, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """`postal_address` is empty until it is set; campaigns cannot be launched without it."""

    tenant_id: UUID
    id: UUID
    postal_address: str
    time_zone: str
    default_daily_cap: int
    default_minimum_gap_seconds: int
    version: int
    updated_at: datetime


async def insert_tenant(tenant: Tenant) -> bool:
    """False when it exists: an earlier attempt made it."""
    status = await current().execute(
        "INSERT INTO tenants (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", tenant.id, tenant.name
    )
    return status == "INSERT 0 1"


async def tenant() -> Tenant | None:
    """The open transaction's own."""
    return await one_row(Tenant, "SELECT id, name FROM tenants WHERE id = $1", current().tenant_id)


async def rename_tenant(name: str) -> None:
    await current().execute("UPDATE tenants SET name = $2 WHERE id = $1", current().tenant_id, name)


async def insert_settings(settings: TenantSettings) -> None:
    await insert_row("tenant_settings", settings)


async def settings() -> TenantSettings | None:
    return await one_row(
        TenantSettings,
        f"SELECT {columns(TenantSettings)} FROM tenant_settings WHERE tenant_id = $1",
        current().tenant_id,
    )


async def lock_settings() -> TenantSettings | None:
    return await one_row(
        TenantSettings,
        f"SELECT {columns(TenantSettings)} FROM tenant_settings WHERE tenant_id = $1 FOR UPDATE",
        current().tenant_id,
    )


async def update_settings(changed: TenantSettings) -> None:
    await current().execute(
        "UPDATE tenant_settings SET postal_address = $2, time_zone = $3, default_daily_cap = $4, "
        "default_minimum_gap_seconds = $5, version = $6, updated_at = $7 WHERE tenant_id = $1",
        changed.tenant_id,
        changed.postal_address,
        changed.time_zone,
        changed.default_daily_cap,
        changed.default_minimum_gap_seconds,
        changed.version,
        changed.updated_at,
    )
