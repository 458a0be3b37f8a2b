"""Settings of the tenant."""

import pytest

from app.core.errors import Forbidden, Problems
from app.identity.tenant_settings import SettingsChange, own_tenant, tenant_settings, update_tenant_settings
from app.identity.viewers import own_tenants, viewer
from tests.app.identity.conftest import World
from tests.app.identity.tenants import MadeTenant, actions_of, snapshot, topics_of
from tests.app.identity.test_accounts import join


async def test_settings_change_field_by_field(acme: MadeTenant) -> None:
    change = SettingsChange(
        name="Acme Two",
        postal_address=" Acme Two Ltd \r\n\r\n 2 Road\u2028Town ",
        time_zone="Europe/Berlin",
        default_daily_cap=7,
        default_minimum_gap_seconds=0,
    )

    tenant, changed = await update_tenant_settings(acme.admin, change)
    _, again = await update_tenant_settings(acme.admin, SettingsChange(default_daily_cap=8))

    assert tenant.name == "Acme Two"
    assert changed.postal_address == "Acme Two Ltd\n2 Road\nTown"
    assert (changed.time_zone, changed.default_daily_cap, changed.version) == ("Europe/Berlin", 7, 2)
    assert (again.time_zone, again.default_daily_cap, again.version) == ("Europe/Berlin", 8, 3)
    assert await tenant_settings(acme.bystander) == (tenant, again)
    assert await topics_of(acme.tenant_id) == ["tenant.settings_changed"] * 2
    assert await actions_of(acme.tenant_id) == ["tenant_settings.update"] * 2


async def test_every_wrong_setting_is_named_and_nothing_is_changed(acme: MadeTenant) -> None:
    before = await snapshot(acme.tenant_id)
    change = SettingsChange(
        name="",
        postal_address="x" * 501,
        time_zone="Mars/Olympus",
        default_daily_cap=0,
        default_minimum_gap_seconds=-1,
    )

    with pytest.raises(Problems) as refused:
        await update_tenant_settings(acme.owner, change)

    assert [part.path[1] for part in refused.value.parts()] == [
        "name",
        "postalAddress",
        "timeZone",
        "defaultDailyCap",
        "defaultMinimumGapSeconds",
    ]
    assert await snapshot(acme.tenant_id) == before


@pytest.mark.parametrize("zone", ["", "../../etc/passwd", "/etc/localtime", "Europe", "europe/berlin\x00", "x" * 300])
async def test_what_is_no_time_zone_is_refused(acme: MadeTenant, zone: str) -> None:
    with pytest.raises(Problems):
        await update_tenant_settings(acme.owner, SettingsChange(time_zone=zone))


async def test_members_read_settings_and_do_not_change_them(acme: MadeTenant) -> None:
    before = await snapshot(acme.tenant_id)

    with pytest.raises(Forbidden):
        await update_tenant_settings(acme.workspace_admin, SettingsChange(name="Mine"))

    assert await snapshot(acme.tenant_id) == before
    found = await own_tenant(acme.viewer)
    assert found is not None
    assert found.name == "Acme"


async def test_the_viewer_and_all_tenants_of_the_person(world: World, acme: MadeTenant, other: MadeTenant) -> None:
    assert acme.owner.user_id is not None
    await join(other, acme.owner.user_id, "owner@acme.example")

    seen = await viewer(acme.owner)
    own = await own_tenants(acme.owner)

    assert (seen.tenant_id, seen.role, seen.display_name) == (acme.tenant_id, "owner", "Owner")
    assert [(each.id, each.role) for each in own] == [(acme.tenant_id, "owner"), (other.tenant_id, "member")]
