"""Importing a CSV: every row is a contact once, or has a reason; nothing is lost or doubled by who dies when."""

import asyncio

import asyncpg
import pytest

from app.core.errors import DomainError, Forbidden, NotFound, Problems, WrongState
from app.core.permissions import WorkspaceRole
from app.core.resources import Resources
from app.outreach import contact_import_reading, contact_import_runs
from app.outreach.contact_import_runs import run_contact_import
from app.outreach.contact_imports import (
    ImportOrder,
    cancel_contact_import,
    contact_imports,
    contact_imports_by_ids,
    import_contacts,
    import_errors,
    preview_contact_import,
)
from app.outreach.contact_lists import contact_lists_by_ids, contacts_on_list, create_contact_list
from app.outreach.contacts import ContactInput, contacts, create_contact
from app.outreach.rules.import_plans import OnDuplicate, ReadingChoices
from db.core.migration import OWNER
from db.queries.outreach.imported_contacts import known_contacts
from tests.app.outreach.contact_stage import Stage, new_stage
from tests.servers import TestServers

PEOPLE = (
    b"E-Mail,First name,Surname,Organisation,Job Title\n"
    b"ann@mail.example,Ann,Ash,Ice Ltd,Chief\n"
    b"Bob@Mail.Example,Bob,Birch,,\n"
    b"not an address,Cat,Cedar,,\n"
    b",Dan,Date,,\n"
    b"ANN@mail.example,Anne,Ash,,\n"
    b"eve@b\xc3\xbccher.example,Eve,Elm,,x,surplus\n"
    b'fay@b\xc3\xbccher.example,Fay,Fir,"Two\nlines",\n'
)


@pytest.fixture
async def stage(resources: Resources) -> Stage:
    return await new_stage(resources)


async def test_each_row_becomes_one_contact_or_is_refused_with_its_reason(stage: Stage) -> None:
    done = await stage.imported(PEOPLE)

    assert (done.state, done.rows_read, done.rows_created, done.rows_updated) == ("completed", 7, 3, 0)
    assert (done.rows_duplicate, done.rows_rejected) == (1, 3)
    page = await contacts(stage.owner, stage.workspace_id, search=None, first=10, after=None)
    assert {row.email: (row.first_name, row.last_name, row.company, row.fields) for row in page.items} == {
        "ann@mail.example": ("Ann", "Ash", "Ice Ltd", {"job_title": "Chief"}),
        "Bob@mail.example": ("Bob", "Birch", "", {}),
        "fay@xn--bcher-kva.example": ("Fay", "Fir", "Two lines", {}),
    }
    errors = await import_errors(stage.owner, done.id, first=10, after=0)
    assert [(error.row_number, error.problem) for error in errors.items] == [
        (4, "invalid_value"),
        (5, "no_address"),
        (6, "duplicate"),
        (7, "too_many_cells"),
    ]
    assert errors.items[0].cells == ["not an address", "Cat", "Cedar", "", ""]
    assert "no @-sign" in errors.items[0].message


async def test_the_list_gets_new_and_known_contacts_and_counts_them(stage: Stage) -> None:
    target = await create_contact_list(stage.owner, stage.workspace_id, "Prospects")
    await create_contact(stage.owner, stage.workspace_id, ContactInput(email="ann@mail.example", first_name="Old"))

    done = await stage.imported(PEOPLE, list_id=target.id)

    assert (done.rows_created, done.rows_duplicate) == (2, 2)
    listed = (await contact_lists_by_ids(stage.owner, [target.id]))[0]
    assert listed is not None
    assert listed.contact_count == 3
    page = await contacts_on_list(stage.owner, target.id, first=10, after=None)
    assert {row.email_key: row.first_name for row in page.items} == {
        "ann@mail.example": "Old",
        "bob@mail.example": "Bob",
        "fay@xn--bcher-kva.example": "Fay",
    }


async def test_update_fills_in_what_the_file_has_and_keeps_the_rest(stage: Stage) -> None:
    old = ContactInput(email="ann@mail.example", first_name="Old", company="Keep", fields={"city": "Oslo"})
    before = await create_contact(stage.owner, stage.workspace_id, old)

    done = await stage.imported(
        b"email,first_name,company,job\nAnn@mail.example,New,,Chief\nann@mail.example,Later,,\n",
        on_duplicate=OnDuplicate.UPDATE,
    )

    assert (done.rows_created, done.rows_updated, done.rows_duplicate) == (0, 1, 1)
    page = await contacts(stage.owner, stage.workspace_id, search=None, first=10, after=None)
    (after,) = page.items
    assert (after.id, after.first_name, after.company) == (before.id, "New", "Keep")
    assert after.fields == {"city": "Oslo", "job": "Chief"}
    assert after.version == 2


async def test_the_same_file_again_changes_nothing(stage: Stage) -> None:
    await stage.imported(PEOPLE)

    again = await stage.imported(PEOPLE)

    assert (again.rows_created, again.rows_duplicate, again.rows_rejected) == (0, 4, 3)
    assert await stage.count("contacts") == 3


def many(count: int) -> bytes:
    rows = (f"user{number}@mail{number % 50}.example,First {number},Last\n" for number in range(count))
    return ("email,first_name,last_name\n" + "".join(rows)).encode()


async def test_a_large_file_is_imported_in_parts_that_hand_over(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_import_runs, "BATCHES_PER_PART", 2)
    target = await create_contact_list(stage.owner, stage.workspace_id, "Many")

    done = await stage.imported(many(30_000), list_id=target.id)

    assert (done.state, done.rows_read, done.rows_created) == ("completed", 30_000, 30_000)
    assert done.part > 1
    assert await stage.count("contacts") == 30_000
    assert await stage.count("contact_list_members") == 30_000
    jobs = await stage.rows("SELECT payload FROM jobs WHERE tenant_id = $1 AND kind = 'contact_import.run' ORDER BY id")
    assert [job["payload"]["part"] for job in jobs] == list(range(1, done.part + 1))


async def test_known_contacts_after_a_long_stretch_of_new_ones_are_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a batch of new ones the next is tried as one of new ones, too; this one is not."""
    monkeypatch.setattr(contact_import_reading, "BATCH_ROWS", 1)
    target = await create_contact_list(stage.owner, stage.workspace_id, "Mixed")
    for name in ("user15000@mail0.example", "user15001@mail1.example"):
        await create_contact(stage.owner, stage.workspace_id, ContactInput(email=name, first_name="Old"))

    done = await stage.imported(many(16_000), list_id=target.id, on_duplicate=OnDuplicate.UPDATE)

    assert (done.rows_read, done.rows_created, done.rows_updated, done.rows_duplicate) == (16_000, 15_998, 2, 0)
    assert await stage.count("contacts") == 16_000 == await stage.count("contact_list_members")
    (listed,) = await contact_lists_by_ids(stage.owner, [target.id])
    assert listed is not None
    assert listed.contact_count == 16_000
    again = await stage.imported(many(16_000), list_id=target.id)
    assert (again.rows_created, again.rows_duplicate) == (0, 16_000)
    assert await stage.count("contact_list_members") == 16_000


async def test_two_imports_of_one_file_at_the_same_time_make_each_contact_once(stage: Stage) -> None:
    first, second = [
        await import_contacts(stage.owner, stage.workspace_id, ImportOrder(await stage.uploaded(many(20_000))))
        for _ in range(2)
    ]

    both = await asyncio.gather(stage.finished(first), stage.finished(second))

    assert {done.state for done in both} == {"completed"}
    assert sum(done.rows_created for done in both) == 20_000 == await stage.count("contacts")
    assert sum(done.rows_duplicate for done in both) == 20_000


async def test_known_contacts_are_looked_up_one_by_one_whatever_postgres_believes_of_the_workspace(
    stage: Stage, resources: Resources, servers: TestServers, databases: dict[str, str]
) -> None:
    """Statistics from before a workspace was filled once had it read whole for every key."""
    other = await new_stage(resources)
    await other.imported(many(12_000))
    owner = await asyncpg.connect(servers.url(databases["oltp"], OWNER))
    await owner.execute("ANALYZE contacts")
    await owner.close()
    done = await stage.imported(many(3_000))
    keys = [f"user{number}@mail{number % 50}.example" for number in range(0, 3_000, 10)]
    rows_read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'contacts'::regclass"

    for lock in (False, True):
        async with stage.owner.transaction() as transaction:
            before = await transaction.fetchval(rows_read)
            known = await known_contacts(stage.workspace_id, [*keys, "stranger@mail.example"], lock=lock)
            after = await transaction.fetchval(rows_read)

        assert sorted(known) == sorted(keys)
        assert {contact.import_id for contact in known.values()} == {done.id}
        assert after - before <= 2 * len(keys)


async def test_two_workers_on_the_same_part_import_nothing_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_id = await stage.uploaded(many(12_000))
    started = await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload_id))
    honest = contact_import_runs._commit
    stolen: list[int] = []

    async def beaten(*args: object, **named: object) -> bool:
        """Before this worker's first batch is written, another one runs the whole job."""
        if not stolen:
            stolen.append(1)
            monkeypatch.setattr(contact_import_runs, "_commit", honest)
            await run_contact_import(stage.worker(), started.id, 1)
        return await honest(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(contact_import_runs, "_commit", beaten)
    await run_contact_import(stage.worker(), started.id, 1)

    done = (await contact_imports_by_ids(stage.owner, [started.id]))[0]
    assert done is not None
    assert (done.state, done.rows_read, done.rows_created, done.rows_duplicate) == ("completed", 12_000, 12_000, 0)
    assert await stage.count("contacts") == 12_000


async def test_a_batch_that_fails_leaves_no_trace_and_the_next_run_goes_on_behind_the_last_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await stage.uploaded(many(25_000))
    started = await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload_id))
    honest, calls = contact_import_runs._keep_errors, []

    async def broken(*args: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ConnectionError("the database went away")
        await honest(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(contact_import_runs, "_keep_errors", broken)
    with pytest.raises(ConnectionError):
        await run_contact_import(stage.worker(), started.id, 1)

    half = (await contact_imports_by_ids(stage.owner, [started.id]))[0]
    assert half is not None
    assert half.state == "running"
    assert 0 < half.rows_read < 25_000
    assert await stage.count("contacts") == half.rows_created == half.rows_read
    done = await stage.finished(half)
    assert (done.rows_read, done.rows_created, done.rows_duplicate) == (25_000, 25_000, 0)


async def test_a_finished_or_superseded_job_does_nothing(stage: Stage) -> None:
    done = await stage.imported(PEOPLE)
    events = await stage.count("live_events")

    await run_contact_import(stage.worker(), done.id, 1)
    await run_contact_import(stage.worker(), done.id, 7)

    assert await stage.count("live_events") == events
    assert (await contact_imports_by_ids(stage.owner, [done.id])) == [done]


async def test_cancel_stops_it_and_keeps_what_was_imported(stage: Stage) -> None:
    upload_id = await stage.uploaded(PEOPLE)
    started = await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload_id))

    cancelled = await cancel_contact_import(stage.owner, started.id)
    await run_contact_import(stage.worker(), started.id, 1)

    assert cancelled.state == "cancelled"
    assert await stage.count("contacts") == 0
    with pytest.raises(WrongState):
        await cancel_contact_import(stage.owner, started.id)


async def test_an_upload_that_was_swept_fails_the_import_with_a_sentence(stage: Stage) -> None:
    upload_id = await stage.uploaded(PEOPLE)
    started = await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload_id))
    async with stage.owner.content_transaction() as transaction:
        await transaction.execute("DELETE FROM upload_chunks WHERE tenant_id = $1", stage.owner.tenant_id)

    await run_contact_import(stage.worker(), started.id, 1)

    failed = (await contact_imports_by_ids(stage.owner, [started.id]))[0]
    assert failed is not None
    assert (failed.state, failed.failure) == ("failed", "The uploaded file has expired: upload it again.")


async def test_a_preview_shows_how_the_file_would_be_read(stage: Stage) -> None:
    upload_id = await stage.uploaded("\ufeffE-Mail;Vorname;Stadt\r\nann@mail.example;Änne;Köln\r\n".encode())

    preview = await preview_contact_import(stage.owner, upload_id)

    assert (preview.format.encoding, preview.format.delimiter) == ("utf-8", ";")
    assert preview.columns == ("email", "first_name", "stadt")
    assert preview.rows == [["ann@mail.example", "Änne", "Köln"]]
    assert await stage.count("contact_imports") == 0


async def test_a_mapping_overrules_the_headers_and_a_bad_one_changes_nothing(stage: Stage) -> None:
    data = b"a,b,c\nann@mail.example,Ann,secret\n"
    good = ReadingChoices(mapping=[("a", "email"), ("b", "first_name"), ("c", None)])
    twice = ReadingChoices(mapping=[("a", "email"), ("b", "email")])

    with pytest.raises(Problems, match="both fill the field email"):
        await stage.imported(data, choices=twice)
    assert (await stage.count("contact_imports"), await stage.count("jobs")) == (0, 0)

    await stage.imported(data, choices=good)
    page = await contacts(stage.owner, stage.workspace_id, search=None, first=10, after=None)
    assert [(row.first_name, row.fields) for row in page.items] == [("Ann", {})]


@pytest.mark.parametrize("data", [b"PK\x03\x04" + b"x" * 50, b"\n\n", bytes(range(256)) * 40, b"name\nAnn\n"])
async def test_what_is_no_list_of_contacts_is_refused_before_anything_is_enqueued(stage: Stage, data: bytes) -> None:
    upload_id = await stage.uploaded(data)

    with pytest.raises(DomainError):
        await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload_id))

    assert (await stage.count("contact_imports"), await stage.count("jobs")) == (0, 0)


async def test_a_foreign_list_upload_or_workspace_is_not_found(stage: Stage, resources: Resources) -> None:
    other = await new_stage(resources)
    theirs = await create_contact_list(other.owner, other.workspace_id, "Theirs")
    mine = await stage.uploaded(PEOPLE)

    for order, workspace_id in (
        (ImportOrder(mine, list_id=theirs.id), stage.workspace_id),
        (ImportOrder(await other.uploaded(PEOPLE)), stage.workspace_id),
        (ImportOrder(mine), other.workspace_id),
    ):
        with pytest.raises(NotFound):
            await import_contacts(stage.owner, workspace_id, order)

    assert (await stage.count("contact_imports"), await other.count("contact_imports")) == (0, 0)
    assert (await contact_imports(other.owner, stage.workspace_id, first=5, after=None)).items == []


async def test_a_viewer_may_watch_imports_but_not_start_one(stage: Stage) -> None:
    done = await stage.imported(PEOPLE)
    viewer = stage.member(WorkspaceRole.VIEWER)

    with pytest.raises(Forbidden):
        await import_contacts(viewer, stage.workspace_id, ImportOrder(done.upload_id))

    assert await contact_imports_by_ids(viewer, [done.id]) == [done]


async def test_every_batch_is_told_with_the_counts_after_it(stage: Stage) -> None:
    done = await stage.imported(PEOPLE)

    events = await stage.rows(
        "SELECT object_id, version, payload FROM live_events WHERE tenant_id = $1 "
        "AND topic = 'contact_import.progressed' ORDER BY id"
    )
    assert [event["payload"]["state"] for event in events] == ["queued", "running", "completed"]
    assert [event["version"] for event in events] == [1, 2, 3]
    assert events[-1]["object_id"] == done.id
    assert events[-1]["payload"] == {
        "state": "completed",
        "rows_read": 7,
        "rows_imported": 3,
        "rows_duplicate": 1,
        "rows_rejected": 3,
    }
