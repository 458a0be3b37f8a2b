"""Templates: versions that never change, content before its row, and a preview that is what is sent."""

from datetime import timedelta

import pytest

from app.core.clock import FixedClock
from app.core.errors import Conflict, DomainError, Forbidden, NotFound, Problems, Taken
from app.core.ids import new_id
from app.core.permissions import WorkspaceRole
from app.core.resources import Resources
from app.outreach import templates as use
from app.outreach.contacts import ContactInput, create_contact
from app.outreach.rules.template_rendering import (
    MailFooter,
    MergeFieldMissing,
    MissingFieldRule,
    TemplateSource,
    render_template,
)
from app.outreach.templates import (
    PreviewOrder,
    TemplateChanges,
    create_template,
    delete_template,
    expire_orphaned_versions,
    preview_template,
    template_source,
    templates,
    templates_by_ids,
    update_template,
    versions_by_ids,
)
from tests.app.outreach.contact_stage import Stage, new_stage

HELLO = TemplateSource("Hello {{ first_name }}", "Dear {{ first_name }} of {{ city }}", None, MissingFieldRule.ERROR)


@pytest.fixture
async def stage(resources: Resources) -> Stage:
    return await new_stage(resources)


async def test_create_template_writes_version_one(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)

    assert made.template.version_ids == [made.current.id] == [made.template.current_version_id]
    assert await template_source(stage.owner, made.template.id, made.current.id) == HELLO
    assert await templates_by_ids(stage.owner, [made.template.id]) == [made.template]


async def test_a_changed_text_makes_a_version_and_leaves_the_old_one_as_it_was(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)

    done = await update_template(stage.owner, made.template.id, TemplateChanges(parts={"html_body": "<p>Hi</p>"}))

    assert (done.current.number, len(done.template.version_ids), done.template.version) == (2, 2, 2)
    assert (done.current.subject, done.current.html_body) == (HELLO.subject, "<p>Hi</p>")
    assert await template_source(stage.owner, made.template.id, made.current.id) == HELLO


async def test_a_new_name_or_an_equal_text_makes_no_version(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)

    done = await update_template(
        stage.owner, made.template.id, TemplateChanges(name="Hi", parts={"subject": HELLO.subject})
    )

    assert (done.template.name, done.template.version_ids) == ("Hi", [made.current.id])
    assert await stage.count("template_versions", tier="content") == 1


async def test_a_wrong_template_is_refused_and_nothing_is_written(stage: Stage) -> None:
    wrong = TemplateSource("Hello", "{% if x %}", "{{ y | shout }}", MissingFieldRule.ERROR)

    with pytest.raises(Problems) as refused:
        await create_template(stage.owner, stage.workspace_id, "Hello", wrong)

    assert [part.path for part in refused.value.parts()] == [("input", "textBody"), ("input", "htmlBody")]
    assert (await stage.count("templates"), await stage.count("template_versions", tier="content")) == (0, 0)
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    with pytest.raises(DomainError):
        await update_template(stage.owner, made.template.id, TemplateChanges(parts={"text_body": "{{"}))
    assert await templates_by_ids(stage.owner, [made.template.id]) == [made.template]


async def test_names_are_unique_among_templates_that_are_not_deleted(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    other = await create_template(stage.owner, stage.workspace_id, "Other", HELLO)

    with pytest.raises(Taken):
        await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    with pytest.raises(Taken):
        await update_template(stage.owner, other.template.id, TemplateChanges(name="Hello"))
    await delete_template(stage.owner, made.template.id)

    again = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    page = await templates(stage.owner, stage.workspace_id, first=10, after=None)
    assert [row.id for row in page.items] == [again.template.id, other.template.id]


async def test_a_deleted_template_keeps_its_versions_for_what_was_sent(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)

    await delete_template(stage.owner, made.template.id)

    assert await template_source(stage.owner, made.template.id, made.current.id) == HELLO
    for attempt in (
        delete_template(stage.owner, made.template.id),
        update_template(stage.owner, made.template.id, TemplateChanges(name="x")),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_of_two_changes_at_once_the_later_is_told_and_leaves_no_version(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    honest = use._write_version

    async def beaten(*args: object) -> object:
        monkeypatch.setattr(use, "_write_version", honest)
        await update_template(stage.owner, made.template.id, TemplateChanges(parts={"subject": "First"}))
        return await honest(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(use, "_write_version", beaten)
    with pytest.raises(Conflict):
        await update_template(stage.owner, made.template.id, TemplateChanges(parts={"subject": "Second"}))

    (after,) = await templates_by_ids(stage.owner, [made.template.id])
    assert after is not None
    assert len(after.version_ids) == 2
    assert (await template_source(stage.owner, after.id, after.current_version_id)).subject == "First"


async def test_orphans_of_a_crash_are_swept_and_named_versions_are_not(stage: Stage, resources: Resources) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    orphan = await use._write_version(stage.owner, new_id(), 1, HELLO)
    late = FixedClock(resources.clock.now() + timedelta(days=1, minutes=1))
    aged = Resources(settings=resources.settings, clock=late, cipher=resources.cipher, redis=resources.redis)

    early = await expire_orphaned_versions(stage.worker())
    removed = await expire_orphaned_versions(
        type(stage.owner)(resources=aged, kind=stage.worker().kind, request_id="t", tenant=stage.owner.tenant_id)
    )

    assert (early, removed) == (0, 1)
    kept = await versions_by_ids(stage.owner, [made.current.id, orphan.id])
    assert kept == [made.current, None]


async def test_a_preview_is_what_sending_renders_for_that_contact(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    ann = await create_contact(
        stage.owner,
        stage.workspace_id,
        ContactInput(email="ann@mail.example", first_name="Ann", fields={"city": "Oslo"}),
    )

    shown = await preview_template(stage.owner, PreviewOrder(template_id=made.template.id, contact_id=ann.id))

    sent = render_template(
        await template_source(stage.owner, made.template.id, made.template.current_version_id),
        {"first_name": "Ann", "city": "Oslo", "email": "ann@mail.example"},
        footer=MailFooter("Example Ltd\n1 Ice Road", "http://127.0.0.1:8000/u/preview"),
    )
    assert shown == sent
    assert shown.subject == "Hello Ann"
    assert "Dear Ann of Oslo" in shown.text
    assert "1 Ice Road" in shown.text


async def test_a_draft_is_previewed_for_the_sample_contact_and_its_gaps_are_told(stage: Stage) -> None:
    with pytest.raises(MergeFieldMissing, match="city"):
        await preview_template(stage.owner, PreviewOrder(draft=HELLO))

    shown = await preview_template(stage.owner, PreviewOrder(draft=HELLO, fields={"city": "Bergen"}))

    assert shown.text.startswith("Dear Pat of Bergen")
    assert await stage.count("templates") == 0


async def test_what_is_not_yours_is_not_there(stage: Stage, resources: Resources) -> None:
    other = await new_stage(resources)
    theirs = await create_template(other.owner, other.workspace_id, "Theirs", HELLO)
    their_contact = await create_contact(other.owner, other.workspace_id, ContactInput(email="a@b.example"))

    for attempt in (
        update_template(stage.owner, theirs.template.id, TemplateChanges(name="x")),
        delete_template(stage.owner, theirs.template.id),
        preview_template(stage.owner, PreviewOrder(template_id=theirs.template.id)),
        preview_template(stage.owner, PreviewOrder(draft=HELLO, contact_id=their_contact.id)),
        create_template(stage.owner, other.workspace_id, "x", HELLO),
        template_source(stage.owner, theirs.template.id, theirs.current.id),
    ):
        with pytest.raises(NotFound):
            await attempt

    assert await templates_by_ids(stage.owner, [theirs.template.id]) == [None]
    assert await versions_by_ids(stage.owner, [theirs.current.id]) == [None]
    assert (await templates(stage.owner, other.workspace_id, first=5, after=None)).items == []
    assert await stage.count("template_versions", tier="content") == 0


async def test_a_viewer_previews_but_does_not_write(stage: Stage) -> None:
    made = await create_template(stage.owner, stage.workspace_id, "Hello", HELLO)
    viewer = stage.member(WorkspaceRole.VIEWER)

    with pytest.raises(Forbidden):
        await update_template(viewer, made.template.id, TemplateChanges(name="x"))

    order = PreviewOrder(template_id=made.template.id, fields={"city": "Oslo"})
    assert (await preview_template(viewer, order)).subject == "Hello Pat"
