"""Templates in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from app.outreach import templates as use
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource, used_fields
from app.outreach.templates import Template as TemplateRow
from app.outreach.templates import TemplateVersion as TemplateVersionRow
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, bounded, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.core.scalars import JsonObject
from graph.outreach.contacts import texts

describe_enum(
    MissingFieldRule,
    "What happens where a contact lacks a field that has no `default`.",
    {
        MissingFieldRule.ERROR: "The mail is not sent; the message says which field was missing.",
        MissingFieldRule.EMPTY: "Nothing is printed in its place.",
    },
)


# ---- types
@strawberry.type(description="What a version of a template says. It never changes.")
class TemplateVersion:
    row: strawberry.Private[TemplateVersionRow]
    number: int = strawberry.field(description="Counts the template's versions, from 1.")
    subject: str = strawberry.field(description="The subject, in Liquid.")
    text_body: str | None = strawberry.field(description="The text part; made from the HTML where it is null.")
    html_body: str | None = strawberry.field(description="The HTML part, if any; printed values are escaped in it.")
    on_missing_field: MissingFieldRule = strawberry.field(description="What happens where a contact lacks a field.")
    created_at: datetime = strawberry.field(description="When it was written.")

    @staticmethod
    def of(row: TemplateVersionRow) -> "TemplateVersion":
        return TemplateVersion(
            row=row,
            number=row.number,
            subject=row.subject,
            text_body=row.text_body,
            html_body=row.html_body,
            on_missing_field=MissingFieldRule(row.on_missing_field),
            created_at=row.created_at,
        )

    @strawberry.field(  # type: ignore[untyped-decorator]
        description="The names of the merge fields that it reads.", metadata=bounded("as many as the template names")
    )
    def used_fields(self) -> list[str]:
        return list(used_fields(use.source_of(self.row)))


@strawberry.type(description="A template of mails, with versions.")
class Template(Node):
    row: strawberry.Private[TemplateRow]
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the template belongs to.")
    name: str = strawberry.field(description="The name, unique in the workspace.")
    version_number: int = strawberry.field(description="The number of the current version.")
    version: int = strawberry.field(description="Counts the changes, those of the name too.")
    deleted_at: datetime | None = strawberry.field(
        description="When it was deleted; what was launched with it goes on."
    )
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")

    @staticmethod
    def of(row: TemplateRow) -> "Template":
        return Template(
            row=row,
            id=global_id("Template", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            name=row.name,
            version_number=len(row.version_ids),
            version=row.version,
            deleted_at=row.archived_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Template | None]":
        rows = await use.templates_by_ids(context.caller, ids)
        return [Template.of(row) if row else None for row in rows]

    @query(uses=use.versions_by_ids, description="What it says now.")
    async def current(self, info: Info) -> TemplateVersion | None:
        return await info.context.loaders.load(versions_by_id, self.row.current_version_id)


# ---- inputs
@strawberry.input(description="What createTemplate needs.")
class CreateTemplateInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to create it in.")
    name: str = strawberry.field(description="A name that the workspace has not used, at most 120 characters.")
    subject: str = strawberry.field(description="The subject, one line, in Liquid: `Hello {{ first_name }}`.")
    text_body: str | None = strawberry.field(default=None, description="The text part, in Liquid.")
    html_body: str | None = strawberry.field(default=None, description="The HTML part, in Liquid.")
    on_missing_field: MissingFieldRule = strawberry.field(
        default=MissingFieldRule.ERROR, description="What happens where a contact lacks a field."
    )


@strawberry.input(description="What updateTemplate changes; what is left out stays as it is.")
class UpdateTemplateInput(IdempotentInput):
    template_id: strawberry.ID = strawberry.field(description="The template to change.")
    name: str | None = strawberry.field(default=None, description="A new name.")
    subject: str | None = strawberry.field(default=None, description="A new subject.")
    text_body: str | None = strawberry.field(default=strawberry.UNSET, description="A new text part; null removes it.")
    html_body: str | None = strawberry.field(default=strawberry.UNSET, description="A new HTML part; null removes it.")
    on_missing_field: MissingFieldRule | None = strawberry.field(default=None, description="A new rule.")


@strawberry.input(description="What deleteTemplate needs.")
class DeleteTemplateInput(IdempotentInput):
    template_id: strawberry.ID = strawberry.field(description="The template to delete.")


@strawberry.input(description="What previewTemplate needs: a template, or a draft's subject and bodies.")
class PreviewTemplateInput:
    template_id: strawberry.ID | None = strawberry.field(default=None, description="A stored template.")
    subject: str | None = strawberry.field(
        default=None, description="A draft's subject; with it, templateId is not used."
    )
    text_body: str | None = strawberry.field(default=None, description="A draft's text part.")
    html_body: str | None = strawberry.field(default=None, description="A draft's HTML part.")
    on_missing_field: MissingFieldRule = strawberry.field(
        default=MissingFieldRule.ERROR, description="A draft's rule for missing fields."
    )
    contact_id: strawberry.ID | None = strawberry.field(
        default=None, description="The contact to render for; a sample contact when left out."
    )
    fields: JsonObject | None = strawberry.field(
        default=None, description="Fields to use instead of the contact's, name to text; null removes one."
    )


# ---- payloads
@strawberry.type(description="The answer of createTemplate.")
class CreateTemplatePayload(Payload):
    template: Template | None = strawberry.field(default=None, description="The new template.")


@strawberry.type(description="The answer of updateTemplate.")
class UpdateTemplatePayload(Payload):
    template: Template | None = strawberry.field(default=None, description="The changed template.")


@strawberry.type(description="The answer of deleteTemplate.")
class DeleteTemplatePayload(Payload):
    deleted_template_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the template that is gone."
    )


@strawberry.type(description="A mail as it is sent, footer included.")
class RenderedMail:
    subject: str = strawberry.field(description="The subject.")
    text: str = strawberry.field(description="The text part.")
    html: str | None = strawberry.field(description="The HTML part, if the template has one.")


@strawberry.type(description="The answer of previewTemplate.")
class PreviewTemplatePayload(Payload):
    preview: RenderedMail | None = strawberry.field(default=None, description="The mail as it would be sent.")


# ---- loaders
async def versions_by_id(context: Context, ids: Sequence[UUID]) -> "list[TemplateVersion | None]":
    rows = await use.versions_by_ids(context.caller, ids)
    return [TemplateVersion.of(row) if row else None for row in rows]


# ---- queries
@strawberry.type
class TemplateQueries:
    @query(uses=use.templates, description="The templates of a workspace, newest first, without deleted ones.")
    async def templates(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        first: First = 25,
        after: After = None,
    ) -> Connection[Template]:
        page = window(first, after)
        place = local_id(workspace_id, "Workspace")
        rows = await use.templates(info.context.caller, place, first=page.first, after=page.after)
        return connection(rows, Template.of)

    @query(uses=use.templates_by_ids, description="One template, a deleted one too, or null.")
    async def template(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The template's id.")]
    ) -> Template | None:
        return (await Template.load_nodes(info.context, [local_id(id, "Template")]))[0]


# ---- mutations
@strawberry.type
class TemplateMutations:
    @mutation(uses=use.create_template, description="Writes a template; mistakes are told with part and line.")
    async def create_template(
        self, info: Info, input: Annotated[CreateTemplateInput, strawberry.argument(description="The new template.")]
    ) -> CreateTemplatePayload:
        source = TemplateSource(input.subject, input.text_body, input.html_body, input.on_missing_field)
        workspace_id = local_id(input.workspace_id, "Workspace")
        made = await use.create_template(info.context.caller, workspace_id, input.name, source)
        return CreateTemplatePayload(template=Template.of(made.template))

    @mutation(
        uses=use.update_template,
        description="Changes a template; a changed text makes a new version, and running campaigns keep theirs.",
    )
    async def update_template(
        self, info: Info, input: Annotated[UpdateTemplateInput, strawberry.argument(description="What to change.")]
    ) -> UpdateTemplatePayload:
        changes = use.TemplateChanges(name=input.name, parts=changed_parts(input))
        done = await use.update_template(info.context.caller, local_id(input.template_id, "Template"), changes)
        return UpdateTemplatePayload(template=Template.of(done.template))

    @mutation(
        uses=use.delete_template,
        description="Takes a template out of sight and of reach of new campaigns; what was launched with it goes on.",
    )
    async def delete_template(
        self, info: Info, input: Annotated[DeleteTemplateInput, strawberry.argument(description="What to delete.")]
    ) -> DeleteTemplatePayload:
        row = await use.delete_template(info.context.caller, local_id(input.template_id, "Template"))
        return DeleteTemplatePayload(deleted_template_id=global_id("Template", row.id))

    @mutation(
        uses=use.preview_template,
        description="Renders a template or a draft exactly as it would be sent; changes nothing.",
    )
    async def preview_template(
        self, info: Info, input: Annotated[PreviewTemplateInput, strawberry.argument(description="What to render.")]
    ) -> PreviewTemplatePayload:
        order = use.PreviewOrder(
            template_id=None if input.template_id is None else local_id(input.template_id, "Template"),
            draft=draft_of(input),
            contact_id=None if input.contact_id is None else local_id(input.contact_id, "Contact"),
            fields=texts(input.fields),
        )
        mail = await use.preview_template(info.context.caller, order)
        return PreviewTemplatePayload(preview=RenderedMail(subject=mail.subject, text=mail.text, html=mail.html))


def changed_parts(input: UpdateTemplateInput) -> dict[str, Any]:
    """By the names of TemplateSource."""
    parts: dict[str, Any] = {}
    if input.subject is not None:
        parts["subject"] = input.subject
    if input.text_body is not strawberry.UNSET:
        parts["text_body"] = input.text_body
    if input.html_body is not strawberry.UNSET:
        parts["html_body"] = input.html_body
    if input.on_missing_field is not None:
        parts["on_missing_field"] = input.on_missing_field
    return parts


def draft_of(input: PreviewTemplateInput) -> TemplateSource | None:
    if input.subject is None:
        return None
    return TemplateSource(input.subject, input.text_body, input.html_body, input.on_missing_field)
