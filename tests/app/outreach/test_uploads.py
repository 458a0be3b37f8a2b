"""What is left of uploads: kept for a day, longer only while an import reads them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.caller import Caller
from app.core.clock import FixedClock
from app.core.errors import Forbidden, NotFound, TooLong
from app.core.permissions import WorkspaceRole
from app.core.resources import Resources
from app.outreach.contact_imports import ImportOrder, expire_import_errors, import_contacts, import_errors
from app.outreach.uploads import UploadIncomplete, complete_upload, create_upload, expire_uploads, uploads_by_ids
from tests.app.outreach.contact_stage import Stage, new_stage


@pytest.fixture
async def stage(resources: Resources) -> Stage:
    return await new_stage(resources)


def later(caller: Caller, **much: float) -> Caller:
    resources = caller.resources
    clock = FixedClock(resources.clock.now() + timedelta(**much))
    aged = Resources(settings=resources.settings, clock=clock, cipher=resources.cipher, redis=resources.redis)
    return replace(caller, resources=aged)


async def test_uploads_leave_after_a_day_with_their_chunks_but_not_under_a_running_import(stage: Stage) -> None:
    unused = await stage.uploaded(b"email\nann@mail.example\n")
    read = await stage.uploaded(b"email\neve@mail.example\n")
    started = await import_contacts(stage.owner, stage.workspace_id, ImportOrder(read))

    early = await expire_uploads(later(stage.worker(), hours=23))
    first = await expire_uploads(later(stage.worker(), hours=25))
    await stage.finished(started)
    second = await expire_uploads(later(stage.worker(), hours=25))

    assert (early, first, second) == (0, 1, 1)
    assert await uploads_by_ids(stage.owner, [unused, read]) == [None, None]
    assert await stage.count("upload_chunks", tier="content") == 0


async def test_refused_rows_leave_thirty_days_after_the_import(stage: Stage) -> None:
    done = await stage.imported(b"email\nbad\nworse\n")

    early = await expire_import_errors(later(stage.worker(), days=29))
    removed = await expire_import_errors(later(stage.worker(), days=31))

    assert (early, removed) == (0, 2)
    assert (await import_errors(stage.owner, done.id, first=5, after=0)).items == []


async def test_an_upload_that_was_not_sent_cannot_be_imported(stage: Stage) -> None:
    made = await create_upload(stage.owner, stage.workspace_id)

    with pytest.raises(UploadIncomplete):
        await complete_upload(stage.owner, made.upload.id)
    with pytest.raises(UploadIncomplete):
        await import_contacts(stage.owner, stage.workspace_id, ImportOrder(made.upload.id))


async def test_who_may_not_import_opens_no_upload(stage: Stage, resources: Resources) -> None:
    other = await new_stage(resources)

    with pytest.raises(Forbidden):
        await create_upload(stage.member(WorkspaceRole.VIEWER), stage.workspace_id)
    with pytest.raises(NotFound):
        await create_upload(stage.owner, other.workspace_id)
    with pytest.raises(TooLong):
        await create_upload(stage.owner, stage.workspace_id, file_name="x" * 256)

    assert await stage.count("uploads", tier="content") == await other.count("uploads", tier="content") == 0


async def test_the_secret_of_an_upload_is_not_stored(stage: Stage) -> None:
    made = await create_upload(stage.owner, stage.workspace_id)

    (row,) = await stage.rows("SELECT * FROM uploads WHERE tenant_id = $1", tier="content")

    assert made.token.secret not in repr(row)
