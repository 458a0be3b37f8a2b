"""Watching an import live: its state at once, then as it goes on, to the end."""

import asyncio
from contextlib import aclosing

import pytest

from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.resources import Resources
from app.outreach.contact_imports import ImportOrder, contact_import_status, import_contacts
from tests.actors.core.stage import relay
from tests.app.outreach.contact_stage import new_stage


async def test_the_import_is_seen_from_queued_to_completed(resources: Resources) -> None:
    stage = await new_stage(resources)
    upload_id = await stage.uploaded(b"email\nann@mail.example\nbad\n")
    started = await import_contacts(stage.owner, stage.workspace_id, ImportOrder(upload_id))
    seen = []

    async with (
        relay(resources, queues=("none",)),
        aclosing(contact_import_status(stage.worker(), started.id)) as states,
    ):
        async with asyncio.timeout(20):
            async for state in states:
                seen.append(state)
                if state.state == "queued":
                    await stage.finished(state)
                if state.finished_at is not None:
                    break

    assert seen[0] == started
    assert (seen[-1].state, seen[-1].rows_read, seen[-1].rows_created, seen[-1].rows_rejected) == ("completed", 2, 1, 1)


async def test_a_foreign_import_cannot_be_watched(resources: Resources) -> None:
    stage, other = await new_stage(resources), await new_stage(resources)
    started = await other.imported(b"email\nann@mail.example\n")

    for import_id in (started.id, new_id()):
        with pytest.raises(NotFound):
            async with aclosing(contact_import_status(stage.worker(), import_id)) as states:
                await anext(states)
