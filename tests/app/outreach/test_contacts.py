"""Contacts and lists by hand: unique by address, walled by workspace and tenant, counted exactly."""

from uuid import UUID

import pytest

from app.core.errors import BadInput, Forbidden, NotFound, Problems, Taken
from app.core.ids import new_id
from app.core.permissions import WorkspaceRole
from app.core.resources import Resources
from app.outreach.contact_lists import (
    add_contacts_to_list,
    contact_lists,
    contact_lists_by_ids,
    contacts_on_list,
    create_contact_list,
    delete_contact_list,
    remove_contacts_from_list,
)
from app.outreach.contacts import (
    Contact,
    ContactInput,
    contacts,
    contacts_by_ids,
    create_contact,
    delete_contact,
    update_contact,
)
from tests.app.outreach.contact_stage import Stage, new_stage


@pytest.fixture
async def stage(resources: Resources) -> Stage:
    return await new_stage(resources)


async def person(stage: Stage, email: str, **given: str) -> Contact:
    return await create_contact(stage.owner, stage.workspace_id, ContactInput(email=email, **given))  # type: ignore[arg-type]


async def test_create_contact_keeps_checked_values_and_tells_and_audits_it(stage: Stage) -> None:
    given = ContactInput(email=" Ann@BÜCHER.example ", first_name=" Ann ", fields={"city": "Oslo", "note": " "})

    made = await create_contact(stage.owner, stage.workspace_id, given)

    assert (made.email, made.email_key, made.first_name, made.fields, made.status, made.version) == (
        "Ann@xn--bcher-kva.example",
        "ann@xn--bcher-kva.example",
        "Ann",
        {"city": "Oslo"},
        "active",
        1,
    )
    assert await contacts_by_ids(stage.owner, [made.id]) == [made]
    events = await stage.rows("SELECT topic, object_id, payload FROM live_events WHERE tenant_id = $1")
    assert events == [{"topic": "contact.changed", "object_id": made.id, "payload": {"change": "created"}}]
    trail = await stage.rows("SELECT action, object_id FROM audit_log WHERE tenant_id = $1")
    assert trail == [{"action": "contact.create", "object_id": made.id}]


async def test_an_address_that_is_equal_but_for_case_is_taken(stage: Stage) -> None:
    first = await person(stage, "ann@mail.example", first_name="Ann")

    with pytest.raises(Taken):
        await person(stage, "ANN@Mail.Example", first_name="Other")

    assert await contacts_by_ids(stage.owner, [first.id]) == [first]
    assert (await stage.count("contacts"), await stage.count("live_events")) == (1, 1)


async def test_all_that_is_wrong_is_told_at_once_and_nothing_is_stored(stage: Stage) -> None:
    given = ContactInput(
        email="nobody", first_name="x" * 201, company="a\x00b", fields={"Bad Name": "x", "for": "y", "ok": "z" * 2_001}
    )

    with pytest.raises(Problems) as refused:
        await create_contact(stage.owner, stage.workspace_id, given)

    assert sorted(part.path for part in refused.value.parts()) == [
        ("input", "company"),
        ("input", "email"),
        ("input", "fields", "Bad Name"),
        ("input", "fields", "for"),
        ("input", "fields", "ok"),
        ("input", "firstName"),
    ]
    assert await stage.count("contacts") == 0


async def test_update_contact_changes_what_is_given_and_null_removes_a_custom_field(stage: Stage) -> None:
    made = await create_contact(
        stage.owner,
        stage.workspace_id,
        ContactInput(email="ann@mail.example", first_name="Ann", fields={"city": "Oslo", "job": "CEO"}),
    )

    changed = await update_contact(
        stage.owner, made.id, ContactInput(email="anna@mail.example", fields={"city": None, "team": "A"})
    )

    assert (changed.email, changed.first_name, changed.version) == ("anna@mail.example", "Ann", 2)
    assert changed.fields == {"job": "CEO", "team": "A"}
    assert await contacts_by_ids(stage.owner, [made.id]) == [changed]


async def test_an_update_cannot_take_another_contacts_address(stage: Stage) -> None:
    ann, eve = await person(stage, "ann@mail.example"), await person(stage, "eve@mail.example")

    with pytest.raises(Taken):
        await update_contact(stage.owner, eve.id, ContactInput(email="Ann@mail.example"))

    assert await contacts_by_ids(stage.owner, [ann.id, eve.id]) == [ann, eve]


async def test_a_list_counts_who_is_really_added_and_removed(stage: Stage) -> None:
    ann, eve = await person(stage, "ann@mail.example"), await person(stage, "eve@mail.example")
    made = await create_contact_list(stage.owner, stage.workspace_id, "  Cold   leads ")

    first = await add_contacts_to_list(stage.owner, made.id, [ann.id, ann.id])
    second = await add_contacts_to_list(stage.owner, made.id, [ann.id, eve.id])
    removed = await remove_contacts_from_list(stage.owner, made.id, [ann.id, new_id()])

    assert made.name == "Cold leads"
    assert [(step.count, step.contact_list.contact_count) for step in (first, second, removed)] == [
        (1, 1),
        (1, 2),
        (1, 1),
    ]
    page = await contacts_on_list(stage.owner, made.id, first=10, after=None)
    assert [row.id for row in page.items] == [eve.id]


async def test_adding_is_all_or_nothing(stage: Stage, resources: Resources) -> None:
    other = await new_stage(resources)
    mine, theirs = await person(stage, "ann@mail.example"), await person(other, "eve@mail.example")
    made = await create_contact_list(stage.owner, stage.workspace_id, "Leads")

    with pytest.raises(NotFound):
        await add_contacts_to_list(stage.owner, made.id, [mine.id, theirs.id])

    assert await stage.count("contact_list_members") == 0
    assert (await contact_lists_by_ids(stage.owner, [made.id])) == [made]


async def test_deleting_a_contact_takes_it_off_its_lists(stage: Stage) -> None:
    ann, eve = await person(stage, "ann@mail.example"), await person(stage, "eve@mail.example")
    made = await create_contact_list(stage.owner, stage.workspace_id, "Leads")
    await add_contacts_to_list(stage.owner, made.id, [ann.id, eve.id])

    await delete_contact(stage.owner, ann.id)

    listed = (await contact_lists_by_ids(stage.owner, [made.id]))[0]
    assert listed is not None
    assert (listed.contact_count, await stage.count("contact_list_members")) == (1, 1)
    assert await contacts_by_ids(stage.owner, [ann.id]) == [None]
    with pytest.raises(NotFound):
        await delete_contact(stage.owner, ann.id)


async def test_deleting_a_list_keeps_contacts_and_lets_imports_go_on(stage: Stage) -> None:
    made = await create_contact_list(stage.owner, stage.workspace_id, "Leads")
    done = await stage.imported(b"email\nann@mail.example\n", list_id=made.id)

    await delete_contact_list(stage.owner, made.id)

    assert await contact_lists_by_ids(stage.owner, [made.id]) == [None]
    assert (await stage.count("contacts"), await stage.count("contact_list_members")) == (1, 0)
    rows = await stage.rows("SELECT list_id FROM contact_imports WHERE tenant_id = $1 AND id = $2", done.id)
    assert rows == [{"list_id": None}]


async def test_names_of_lists_are_unique_in_a_workspace(stage: Stage) -> None:
    await create_contact_list(stage.owner, stage.workspace_id, "Leads")

    for name, error in (("Leads", Taken), (" ", Exception), ("x" * 121, Exception)):
        with pytest.raises(error):
            await create_contact_list(stage.owner, stage.workspace_id, name)

    assert await stage.count("contact_lists") == 1


async def test_pages_follow_each_other_without_gap_or_repeat(stage: Stage) -> None:
    made = [await person(stage, f"user{number}@mail.example") for number in range(7)]
    seen: list[UUID] = []
    after = None

    while True:
        page = await contacts(stage.owner, stage.workspace_id, search=None, first=3, after=after)
        seen += [row.id for row in page.items]
        if not page.has_next:
            break
        after = str(page.items[-1].id)

    assert seen == [row.id for row in reversed(made)]


async def test_search_finds_addresses_by_their_beginning_in_order(stage: Stage) -> None:
    for email in ("anna@mail.example", "Ann@mail.example", "ann_b@mail.example", "bob@mail.example", "an@mail.example"):
        await person(stage, email)

    first = await contacts(stage.owner, stage.workspace_id, search="ANN", first=2, after=None)
    rest = await contacts(stage.owner, stage.workspace_id, search="ANN", first=2, after=first.items[-1].email_key)

    assert [row.email_key for row in (*first.items, *rest.items)] == [
        "ann@mail.example",
        "ann_b@mail.example",
        "anna@mail.example",
    ]
    assert (first.has_next, rest.has_next) == (True, False)
    assert (await contacts(stage.owner, stage.workspace_id, search="%", first=2, after=None)).items == []
    with pytest.raises(BadInput):
        await contacts(stage.owner, stage.workspace_id, search="a\x00", first=2, after=None)


async def test_what_is_not_yours_is_not_there(stage: Stage, resources: Resources) -> None:
    other = await new_stage(resources)
    theirs = await person(other, "eve@mail.example")
    their_list = await create_contact_list(other.owner, other.workspace_id, "Theirs")

    for attempt in (
        update_contact(stage.owner, theirs.id, ContactInput(first_name="x")),
        delete_contact(stage.owner, theirs.id),
        delete_contact_list(stage.owner, their_list.id),
        add_contacts_to_list(stage.owner, their_list.id, []),
        remove_contacts_from_list(stage.owner, their_list.id, []),
        contacts_on_list(stage.owner, their_list.id, first=1, after=None),
        create_contact(stage.owner, other.workspace_id, ContactInput(email="a@b.example")),
        create_contact_list(stage.owner, other.workspace_id, "x"),
    ):
        with pytest.raises(NotFound):
            await attempt

    assert await contacts_by_ids(stage.owner, [theirs.id]) == [None]
    assert (await contacts(stage.owner, other.workspace_id, search=None, first=5, after=None)).items == []
    assert (await contact_lists(stage.owner, other.workspace_id, first=5, after=None)).items == []
    assert await contacts_by_ids(other.owner, [theirs.id]) == [theirs]


async def test_a_viewer_reads_and_a_stranger_to_the_workspace_sees_nothing(stage: Stage) -> None:
    ann = await person(stage, "ann@mail.example")
    viewer, stranger = stage.member(WorkspaceRole.VIEWER), stage.member(WorkspaceRole.ADMIN, workspace_id=new_id())

    assert await contacts_by_ids(viewer, [ann.id]) == [ann]
    with pytest.raises(Forbidden):
        await delete_contact(viewer, ann.id)
    assert await contacts_by_ids(stranger, [ann.id]) == [None]
    with pytest.raises(NotFound):
        await delete_contact(stranger, ann.id)
    assert await stage.count("contacts") == 1
