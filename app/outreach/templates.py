"""Templates: what mails say. Each change makes a version that never changes again; preview and sending render alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import Conflict, LimitReached, NotFound, Taken
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.live.recording import record
from app.live.topics import TemplateChanged
from app.outreach.access import open_workspace, reach
from app.outreach.contact_lists import checked_name
from app.outreach.rules.contact_fields import merge_fields
from app.outreach.rules.template_rendering import (
    MailFooter,
    MissingFieldRule,
    RenderedMail,
    TemplateSource,
    check_template,
    render_template,
)
from db.core.paging import Page
from db.queries.content import template_versions
from db.queries.identity import tenants
from db.queries.outreach import contacts
from db.queries.outreach import templates as query

MOST_VERSIONS = 1_000
SAMPLE_UNSUBSCRIBE_PATH = "/u/preview"
SAMPLE_FIELDS = merge_fields(
    email="pat.example@mail.example", first_name="Pat", last_name="Example", company="Example Ltd", fields={}
)

TemplateVersion = template_versions.TemplateVersion
Template = query.Template
_ORPHANED_AFTER = timedelta(days=1)
_LOOKED_AT_FOR = timedelta(days=7)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A template as it stands: its row, and what its current version says."""

    template: Template
    current: TemplateVersion


@dataclass(frozen=True, slots=True)
class TemplateChanges:
    """`parts` names fields of TemplateSource to change; what it does not name stays. A real change makes a version."""

    name: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)


@requires(Permission.TEMPLATES_WRITE)
async def create_template(caller: Caller, workspace_id: UUID, name: str, source: TemplateSource) -> TemplateText:
    """Raises Problems of TemplateInvalid (with lines), Required, TooLong, Taken, NotFound, Forbidden."""
    check_template(source)
    wanted, now = checked_name(name), caller.now()
    async with caller.transaction(read_only=True):
        await open_workspace(caller, workspace_id, Permission.TEMPLATES_WRITE)
    written = await _write_version(caller, new_id(), 1, source)
    template = Template(
        tenant_id=caller.tenant_id,
        id=written.template_id,
        workspace_id=workspace_id,
        name=wanted,
        current_version_id=written.id,
        version_ids=[written.id],
        archived_at=None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    async with caller.transaction():
        await open_workspace(caller, workspace_id, Permission.TEMPLATES_WRITE)
        if not await query.insert_template(template):
            raise _taken(wanted)
        await _changed(caller, template, "created", "template.create")
    return TemplateText(template, written)


@requires(Permission.TEMPLATES_WRITE)
async def update_template(caller: Caller, template_id: UUID, changes: TemplateChanges) -> TemplateText:
    """What runs keeps the version that it was launched with. Raises as create_template, and LimitReached, Conflict."""
    async with caller.transaction(read_only=True):
        before = _writable(caller, await query.template_by_id(template_id))
    written = await _next_version(caller, before, changes)
    async with caller.transaction():
        template = _writable(caller, await query.template_by_id(template_id, lock=True))
        if written is not None and template.current_version_id != before.current_version_id:
            raise Conflict("Someone else changed the template at this moment: look at it and try again.")
        changed = _with(template, changes.name, written, caller.now())
        if not await query.update_template(changed):
            raise _taken(changed.name)
        await _changed(caller, changed, "updated", "template.update")
    return (await _texts(caller, [changed]))[0]


async def _next_version(caller: Caller, before: Template, changes: TemplateChanges) -> TemplateVersion | None:
    """Written already; None when the text stays as it is."""
    if not changes.parts:
        return None
    source = await template_source(caller, before.id, before.current_version_id)
    changed = replace(source, **changes.parts)
    check_template(changed)
    if changed == source:
        return None
    return await _write_version(caller, before.id, len(before.version_ids) + 1, changed)


def _with(template: Template, name: str | None, written: TemplateVersion | None, now: datetime) -> Template:
    changed = replace(template, version=template.version + 1, updated_at=now)
    if name is not None:
        changed = replace(changed, name=checked_name(name))
    if written is not None:
        changed = replace(changed, current_version_id=written.id, version_ids=[*template.version_ids, written.id])
    return changed


def _writable(caller: Caller, found: Template | None) -> Template:
    template = reach(caller, found, Permission.TEMPLATES_WRITE, noun="template", field="templateId")
    if template.archived_at is not None:
        raise NotFound("template", ("input", "templateId"))
    if len(template.version_ids) >= MOST_VERSIONS:
        raise LimitReached(
            f"A template has at most {MOST_VERSIONS:,} versions: make a new one.", ("input", "templateId")
        )
    return template


@requires(Permission.TEMPLATES_WRITE)
async def delete_template(caller: Caller, template_id: UUID) -> Template:
    """Takes it out of sight and out of reach of new campaigns; what was launched with it goes on. Raises NotFound, Forbidden."""
    async with caller.transaction():
        found = await query.template_by_id(template_id, lock=True)
        template = reach(caller, found, Permission.TEMPLATES_WRITE, noun="template", field="templateId")
        if template.archived_at is not None:
            raise NotFound("template", ("input", "templateId"))
        now = caller.now()
        deleted = replace(template, archived_at=now, version=template.version + 1, updated_at=now)
        await query.update_template(deleted)
        await _changed(caller, deleted, "deleted", "template.delete")
    return deleted


@dataclass(frozen=True, slots=True)
class PreviewOrder:
    """What to render: a stored template or a draft, for a contact or for the sample contact, with fields on top."""

    template_id: UUID | None = None
    draft: TemplateSource | None = None
    contact_id: UUID | None = None
    fields: Mapping[str, str | None] | None = None


@requires(Permission.TEMPLATES_READ)
async def preview_template(caller: Caller, order: PreviewOrder) -> RenderedMail:
    """The mail as it would be sent, by the function that sending uses, with a sample unsubscribe link.

    Raises TemplateInvalid, MergeFieldMissing, TemplateTooExpensive, NotFound, Forbidden.
    """
    async with caller.transaction(read_only=True):
        settings = await tenants.settings()
        fields = await _fields_of(caller, order.contact_id)
        template = None if order.template_id is None else await query.template_by_id(order.template_id)
    if order.draft is not None:
        source = order.draft
    else:
        found = reach(caller, template, Permission.TEMPLATES_READ, noun="template", field="templateId")
        source = await template_source(caller, found.id, found.current_version_id)
    footer = MailFooter(
        settings.postal_address if settings is not None else "",
        caller.resources.settings.public_url.rstrip("/") + SAMPLE_UNSUBSCRIBE_PATH,
    )
    return render_template(source, {**fields, **(order.fields or {})}, footer=footer)


async def _fields_of(caller: Caller, contact_id: UUID | None) -> dict[str, object]:
    if contact_id is None:
        return SAMPLE_FIELDS
    found = await contacts.contact_by_id(contact_id)
    contact = reach(caller, found, Permission.CONTACTS_READ, noun="contact", field="contactId")
    return merge_fields(
        email=contact.email,
        first_name=contact.first_name,
        last_name=contact.last_name,
        company=contact.company,
        fields=contact.fields,
    )


async def template_source(caller: Caller, template_id: UUID, version_id: UUID) -> TemplateSource:
    """What a version says, for rendering. Reads the Content tier: never inside an open transaction. Raises NotFound."""
    found = await template_sources(caller, {version_id: template_id})
    if version_id not in found:
        raise NotFound("template version")
    return found[version_id]


async def template_sources(caller: Caller, wanted: Mapping[UUID, UUID]) -> dict[UUID, TemplateSource]:
    """What versions say; `wanted` names the template of each version. Left out: what is not there, or of another template."""
    if not wanted:
        return {}
    async with caller.content_transaction(read_only=True):
        rows = await template_versions.versions_by_ids(list(wanted))
    return {row.id: source_of(row) for row in rows if wanted[row.id] == row.template_id}


def source_of(version: TemplateVersion) -> TemplateSource:
    return TemplateSource(
        version.subject, version.text_body, version.html_body, MissingFieldRule(version.on_missing_field)
    )


@requires(Permission.TEMPLATES_READ)
async def templates(caller: Caller, workspace_id: UUID, *, first: int, after: UUID | None) -> Page[Template]:
    """Newest first, without deleted ones; an empty page for a workspace that the caller does not see. Raises Forbidden."""
    if not caller.sees(workspace_id):
        return Page([], False)
    caller.must(Permission.TEMPLATES_READ, workspace_id)
    async with caller.transaction(read_only=True):
        return await query.templates_of_workspace(workspace_id, first=first, after=after)


@requires(Permission.TEMPLATES_READ)
async def templates_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Template | None]:
    """In the order of `ids`; None for what the caller may not read or what is not there."""
    async with caller.transaction(read_only=True):
        rows = await query.templates_by_ids(ids)
    found = {
        row.id: row
        for row in rows
        if caller.sees(row.workspace_id) and caller.may(Permission.TEMPLATES_READ, row.workspace_id)
    }
    return [found.get(template_id) for template_id in ids]


@requires(Permission.TEMPLATES_READ)
async def versions_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[TemplateVersion | None]:
    """What versions say, in the order of `ids`. The ids come from templates that the caller may read."""
    async with caller.content_transaction(read_only=True):
        found = {row.id: row for row in await template_versions.versions_by_ids(ids)}
    return [found.get(version_id) for version_id in ids]


async def _texts(caller: Caller, rows: Sequence[Template]) -> list[TemplateText]:
    async with caller.content_transaction(read_only=True):
        found = {
            one.id: one for one in await template_versions.versions_by_ids([row.current_version_id for row in rows])
        }
    return [TemplateText(row, found[row.current_version_id]) for row in rows]


async def _write_version(caller: Caller, template_id: UUID, number: int, source: TemplateSource) -> TemplateVersion:
    """Content first, then the row that names it: a crash in between leaves an orphan, which is swept."""
    version = TemplateVersion(
        tenant_id=caller.tenant_id,
        id=new_id(),
        template_id=template_id,
        number=number,
        subject=source.subject,
        text_body=source.text_body,
        html_body=source.html_body,
        on_missing_field=source.on_missing_field,
        created_at=caller.now(),
    )
    async with caller.content_transaction():
        await template_versions.insert_version(version)
    return version


async def expire_orphaned_versions(caller: Caller) -> int:
    """Removes versions of the last week, but older than a day, that no template names. A cleaner."""
    end = caller.now() - _ORPHANED_AFTER
    start, removed = end - _LOOKED_AT_FOR, 0
    while True:
        async with caller.content_transaction(read_only=True):
            made = await template_versions.versions_made_between(start, end, limit=_BATCH)
        async with caller.transaction(read_only=True):
            named = await query.named_versions(sorted({template_id for _id, template_id, _at in made}))
        orphans = [version_id for version_id, _template_id, _at in made if version_id not in named]
        if orphans:
            async with caller.content_transaction():
                await template_versions.delete_versions(orphans)
        removed += len(orphans)
        if len(made) < _BATCH:
            return removed
        start = made[-1][2]


def _taken(name: str) -> Taken:
    return Taken(f"The workspace has a template “{name}” already.", ("input", "name"))


async def _changed(caller: Caller, changed: Template, change: str, action: str) -> None:
    await record(
        caller,
        TemplateChanged(
            workspace_id=changed.workspace_id,
            object_id=changed.id,
            version=changed.version,
            change=change,
            template_version=len(changed.version_ids),
        ),
    )
    await audit(caller, action, object_type="Template", object_id=changed.id)
