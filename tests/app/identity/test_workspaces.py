"""Workspaces, and which of them somebody sees."""

import asyncio

import pytest

from app.core.errors import DomainError, Forbidden, NotFound, Taken
from app.core.ids import NIL, new_id
from app.identity.workspaces import (
    archive_workspace,
    create_workspace,
    update_workspace,
    workspace,
    workspaces,
    workspaces_by_ids,
)
from tests.app.identity.tenants import MadeTenant, actions_of, snapshot, topics_of


async def test_create_workspace_makes_a_slug_and_tells_equal_ones_apart(acme: MadeTenant) -> None:
    first = await create_workspace(acme.owner, "  Zoë's   Bakery ")
    second = await create_workspace(acme.admin, "Zoë's Bakery")
    third = await create_workspace(acme.owner, "東京")

    assert [(each.name, each.slug) for each in (first, second, third)] == [
        ("Zoë's Bakery", "zoe-s-bakery"),
        ("Zoë's Bakery", "zoe-s-bakery-2"),
        ("東京", "workspace"),
    ]
    assert await topics_of(acme.tenant_id) == ["workspace.created"] * 3
    assert await actions_of(acme.tenant_id) == ["workspace.create"] * 3


async def test_two_at_once_with_one_name_get_two_slugs(acme: MadeTenant) -> None:
    made = await asyncio.gather(*(create_workspace(acme.owner, "Twin") for _ in range(3)))

    assert sorted(each.slug for each in made) == ["twin", "twin-2", "twin-3"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("", None),
        ("x" * 121, None),
        ("a\nb", None),
        ("=?utf-8?q?x?=", None),
        ("Fine", "Not A Slug"),
        ("Fine", "a--b"),
        ("Fine", ""),
    ],
)
async def test_names_and_slugs_that_are_refused_change_nothing(acme: MadeTenant, name: str, slug: str | None) -> None:
    before = await snapshot(acme.tenant_id)

    with pytest.raises(DomainError):
        await create_workspace(acme.owner, name, slug=slug)
    with pytest.raises(DomainError):
        await update_workspace(acme.owner, acme.workspace_id, name=name, slug=slug)

    assert await snapshot(acme.tenant_id) == before


async def test_a_slug_is_taken_once_in_a_tenant_and_free_in_another(acme: MadeTenant, other: MadeTenant) -> None:
    made = await create_workspace(acme.owner, "Client", slug="client")
    before = await snapshot(acme.tenant_id)

    with pytest.raises(Taken):
        await create_workspace(acme.owner, "Client", slug="client")
    with pytest.raises(Taken):
        await update_workspace(acme.owner, acme.workspace_id, slug="client")
    assert await snapshot(acme.tenant_id) == before

    assert (await create_workspace(other.owner, "Client", slug="client")).slug == made.slug


async def test_a_workspace_admin_updates_their_own_workspace_only(acme: MadeTenant) -> None:
    second = await create_workspace(acme.owner, "Second")

    changed = await update_workspace(acme.workspace_admin, acme.workspace_id, name="Renamed")

    assert (changed.name, changed.slug, changed.version) == ("Renamed", "acme", 2)
    with pytest.raises(NotFound):
        await update_workspace(acme.workspace_admin, second.id, name="Renamed")
    for caller in (acme.member, acme.viewer, acme.bystander):
        with pytest.raises(Forbidden):
            await update_workspace(caller, acme.workspace_id, name="Renamed")
    with pytest.raises(Forbidden):
        await create_workspace(acme.workspace_admin, "Third")


async def test_archiving_takes_it_out_of_the_list_once(acme: MadeTenant) -> None:
    second = await create_workspace(acme.owner, "Second")

    archived = await archive_workspace(acme.owner, second.id)
    again = await archive_workspace(acme.owner, second.id)

    shown = await workspaces(acme.owner, first=10)
    everything = await workspaces(acme.owner, first=10, archived=True)
    assert archived == again
    assert [each.id for each in shown.items] == [acme.workspace_id]
    assert [each.id for each in everything.items] == [second.id, acme.workspace_id]
    assert (await actions_of(acme.tenant_id)).count("workspace.archive") == 1


async def test_people_see_the_workspaces_that_they_have_a_role_in(acme: MadeTenant) -> None:
    second = await create_workspace(acme.owner, "Second")

    seen = {
        name: [each.id for each in (await workspaces(getattr(acme, name), first=10)).items]
        for name in ("owner", "admin", "viewer", "bystander")
    }

    assert seen == {
        "owner": [second.id, acme.workspace_id],
        "admin": [second.id, acme.workspace_id],
        "viewer": [acme.workspace_id],
        "bystander": [],
    }
    assert await workspaces_by_ids(acme.viewer, [second.id, acme.workspace_id]) == [
        None,
        await workspace(acme.viewer, acme.workspace_id),
    ]


async def test_workspaces_come_in_pages(acme: MadeTenant) -> None:
    for number in range(4):
        await create_workspace(acme.owner, f"Number {number}")

    first = await workspaces(acme.owner, first=2)
    second = await workspaces(acme.owner, first=2, after=first.items[-1].id)
    third = await workspaces(acme.owner, first=2, after=second.items[-1].id)

    assert [each.name for page in (first, second, third) for each in page.items] == [
        "Number 3",
        "Number 2",
        "Number 1",
        "Number 0",
        "Acme",
    ]
    assert (first.has_next, second.has_next, third.has_next) == (True, True, False)


async def test_a_foreign_workspace_is_not_found(acme: MadeTenant, other: MadeTenant) -> None:
    before = await snapshot(other.tenant_id)

    for workspace_id in (other.workspace_id, new_id(), NIL):
        for refused in (
            workspace(acme.owner, workspace_id),
            update_workspace(acme.owner, workspace_id, name="Mine"),
            archive_workspace(acme.owner, workspace_id),
        ):
            with pytest.raises(NotFound):
                await refused

    assert await snapshot(other.tenant_id) == before
