"""A tenant's settings: name, postal address, time zone, and defaults for sending."""

from dataclasses import dataclass, replace
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import DomainError, Invalid, NotFound, Problems
from app.core.permissions import Permission
from app.core.use_case import requires
from app.identity.rules.names import read_lines, read_name
from app.live.recording import record
from app.live.topics import TenantSettingsChanged
from db.queries.identity import tenants as queries
from db.queries.identity.tenants import Tenant, TenantSettings

__all__ = ["Tenant", "TenantSettings"]

MOST_A_DAY = 100_000
LONGEST_GAP_SECONDS = 86_400
LONGEST_POSTAL_ADDRESS = 500
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """None leaves a setting as it is."""

    name: str | None = None
    postal_address: str | None = None
    time_zone: str | None = None
    default_daily_cap: int | None = None
    default_minimum_gap_seconds: int | None = None


@requires(Permission.TENANT_READ)
async def tenant_settings(caller: Caller) -> tuple[Tenant, TenantSettings]:
    """Raises NotFound."""
    async with caller.transaction(read_only=True):
        tenant, settings = await queries.tenant(), await queries.settings()
    if tenant is None or settings is None:
        raise NotFound("tenant")
    return tenant, settings


@requires(Permission.TENANT_READ)
async def own_tenant(caller: Caller) -> Tenant | None:
    """The caller's."""
    async with caller.transaction(read_only=True):
        return await queries.tenant()


@requires(Permission.TENANT_UPDATE)
async def update_tenant_settings(caller: Caller, change: SettingsChange) -> tuple[Tenant, TenantSettings]:
    """Raises Problems, one per field, and then changes nothing."""
    checked = _checked(change)
    async with caller.transaction():
        tenant, settings = await queries.tenant(), await queries.lock_settings()
        if tenant is None or settings is None:
            raise NotFound("tenant")
        changed = replace(
            settings,
            postal_address=_either(checked.postal_address, settings.postal_address),
            time_zone=_either(checked.time_zone, settings.time_zone),
            default_daily_cap=_either(checked.default_daily_cap, settings.default_daily_cap),
            default_minimum_gap_seconds=_either(
                checked.default_minimum_gap_seconds, settings.default_minimum_gap_seconds
            ),
            version=settings.version + 1,
            updated_at=caller.now(),
        )
        await queries.update_settings(changed)
        if checked.name is not None:
            await queries.rename_tenant(checked.name)
            tenant = replace(tenant, name=checked.name)
        await record(caller, TenantSettingsChanged(workspace_id=None, object_id=changed.id, version=changed.version))
        names = [name for name in SettingsChange.__slots__ if getattr(change, name) is not None]
        await audit(
            caller,
            "tenant_settings.update",
            object_type="TenantSettings",
            object_id=changed.id,
            details={"changed": names},
        )
    return tenant, changed


def _either(new: Value | None, old: Value) -> Value:
    return old if new is None else new


def _checked(change: SettingsChange) -> SettingsChange:
    problems: list[DomainError] = []
    checked = change
    for check in (_name, _postal_address, _time_zone, _daily_cap, _gap):
        try:
            checked = check(checked)
        except DomainError as error:
            problems.append(error)
    if problems:
        raise Problems(problems)
    return checked


def _name(change: SettingsChange) -> SettingsChange:
    if change.name is None:
        return change
    return replace(change, name=read_name(change.name, ("input", "name"), what="tenant name"))


def _postal_address(change: SettingsChange) -> SettingsChange:
    if change.postal_address is None:
        return change
    path = ("input", "postalAddress")
    lines = read_lines(change.postal_address, path, what="postal address", longest=LONGEST_POSTAL_ADDRESS)
    return replace(change, postal_address=lines)


def _time_zone(change: SettingsChange) -> SettingsChange:
    if change.time_zone is None:
        return change
    try:
        ZoneInfo(change.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            "This is no time zone of the IANA database, such as Europe/Berlin.", ("input", "timeZone")
        ) from error
    return change


def _daily_cap(change: SettingsChange) -> SettingsChange:
    if change.default_daily_cap is not None and not 1 <= change.default_daily_cap <= MOST_A_DAY:
        raise Invalid(f"A daily cap is between 1 and {MOST_A_DAY}.", ("input", "defaultDailyCap"))
    return change


def _gap(change: SettingsChange) -> SettingsChange:
    gap = change.default_minimum_gap_seconds
    if gap is not None and not 0 <= gap <= LONGEST_GAP_SECONDS:
        raise Invalid(f"A gap is between 0 and {LONGEST_GAP_SECONDS} seconds.", ("input", "defaultMinimumGapSeconds"))
    return change
