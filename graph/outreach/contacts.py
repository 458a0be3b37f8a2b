"""Contacts in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry

from app.core.errors import Invalid
from app.outreach import contacts as use
from app.outreach.contacts import Contact as ContactRow
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.core.scalars import JsonObject


class ContactStatus(StrEnum):
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


describe_enum(
    ContactStatus,
    "What is known of a contact's wish and ability to get mail.",
    {
        ContactStatus.ACTIVE: "Nothing speaks against writing.",
        ContactStatus.UNSUBSCRIBED: "Asked not to be written to.",
        ContactStatus.BOUNCED: "The address does not exist.",
        ContactStatus.COMPLAINED: "Reported a mail as spam.",
    },
)


# ---- types
@strawberry.type(description="A person who can be written to; unique by address in the workspace.")
class Contact(Node):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the contact belongs to.")
    email: str = strawberry.field(description="The address that mails go to, its domain in A-labels.")
    first_name: str = strawberry.field(description="The given name, or an empty text.")
    last_name: str = strawberry.field(description="The family name, or an empty text.")
    company: str = strawberry.field(description="The company, or an empty text.")
    fields: JsonObject = strawberry.field(description="The custom fields: name to text.")
    status: ContactStatus = strawberry.field(description="Whether anything speaks against writing.")
    version: int = strawberry.field(description="Counts the changes.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")

    @staticmethod
    def of(row: ContactRow) -> "Contact":
        return Contact(
            id=global_id("Contact", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            company=row.company,
            fields=JsonObject(dict(row.fields)),
            status=ContactStatus(row.status),
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Contact | None]":
        rows = await use.contacts_by_ids(context.caller, ids)
        return [Contact.of(row) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="What createContact needs.")
class CreateContactInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to create it in.")
    email: str = strawberry.field(description="The address; equal but for case is the same contact.")
    first_name: str = strawberry.field(default="", description="The given name.")
    last_name: str = strawberry.field(default="", description="The family name.")
    company: str = strawberry.field(default="", description="The company.")
    fields: JsonObject | None = strawberry.field(
        default=None, description="Custom fields: name (small letters, digits, _) to text."
    )


@strawberry.input(description="What updateContact changes; what is left out stays as it is.")
class UpdateContactInput(IdempotentInput):
    contact_id: strawberry.ID = strawberry.field(description="The contact to change.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="A new address.")
    first_name: str | None = strawberry.field(default=strawberry.UNSET, description="A new given name; null clears it.")
    last_name: str | None = strawberry.field(default=strawberry.UNSET, description="A new family name; null clears it.")
    company: str | None = strawberry.field(default=strawberry.UNSET, description="A new company; null clears it.")
    fields: JsonObject | None = strawberry.field(
        default=strawberry.UNSET, description="Custom fields to set, name to text; null as a value removes one."
    )


@strawberry.input(description="What deleteContact needs.")
class DeleteContactInput(IdempotentInput):
    contact_id: strawberry.ID = strawberry.field(description="The contact to erase.")


# ---- payloads
@strawberry.type(description="The answer of createContact.")
class CreateContactPayload(Payload):
    contact: Contact | None = strawberry.field(default=None, description="The new contact.")


@strawberry.type(description="The answer of updateContact.")
class UpdateContactPayload(Payload):
    contact: Contact | None = strawberry.field(default=None, description="The changed contact.")


@strawberry.type(description="The answer of deleteContact.")
class DeleteContactPayload(Payload):
    deleted_contact_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the contact that is gone."
    )


# ---- queries
@strawberry.type
class ContactQueries:
    @query(
        uses=use.contacts,
        description="The contacts of a workspace, newest first; with `search`, by address those that begin with it.",
    )
    async def contacts(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        search: Annotated[
            str | None, strawberry.argument(description="The beginning of an address, in any case.")
        ] = None,
        first: First = 25,
        after: After = None,
    ) -> Connection[Contact]:
        page = window(first, after)
        by_address = bool(search and search.strip())
        key = page.text if by_address or page.after is None else str(page.after)
        rows = await use.contacts(
            info.context.caller, local_id(workspace_id, "Workspace"), search=search, first=page.first, after=key
        )
        return connection(rows, Contact.of, cursor=_address if by_address else None)

    @query(uses=use.contacts_by_ids, description="One contact, or null.")
    async def contact(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The contact's id.")]
    ) -> Contact | None:
        return (await Contact.load_nodes(info.context, [local_id(id, "Contact")]))[0]


def _address(row: ContactRow) -> str:
    return row.email_key


# ---- mutations
@strawberry.type
class ContactMutations:
    @mutation(uses=use.create_contact, description="Adds a contact to a workspace.")
    async def create_contact(
        self, info: Info, input: Annotated[CreateContactInput, strawberry.argument(description="The new contact.")]
    ) -> CreateContactPayload:
        given = use.ContactInput(
            email=input.email,
            first_name=input.first_name,
            last_name=input.last_name,
            company=input.company,
            fields=texts(input.fields),
        )
        row = await use.create_contact(info.context.caller, local_id(input.workspace_id, "Workspace"), given)
        return CreateContactPayload(contact=Contact.of(row))

    @mutation(uses=use.update_contact, description="Changes a contact.")
    async def update_contact(
        self, info: Info, input: Annotated[UpdateContactInput, strawberry.argument(description="What to change.")]
    ) -> UpdateContactPayload:
        given = use.ContactInput(
            email=_changed(input.email),
            first_name=_changed(input.first_name),
            last_name=_changed(input.last_name),
            company=_changed(input.company),
            fields=None if input.fields is strawberry.UNSET else texts(input.fields),
        )
        row = await use.update_contact(info.context.caller, local_id(input.contact_id, "Contact"), given)
        return UpdateContactPayload(contact=Contact.of(row))

    @mutation(uses=use.delete_contact, description="Erases a contact; messages that were sent stay in the ledger.")
    async def delete_contact(
        self, info: Info, input: Annotated[DeleteContactInput, strawberry.argument(description="What to erase.")]
    ) -> DeleteContactPayload:
        row = await use.delete_contact(info.context.caller, local_id(input.contact_id, "Contact"))
        return DeleteContactPayload(deleted_contact_id=global_id("Contact", row.id))


def _changed(value: str | None) -> str | None:
    """None for "as it is"; null clears."""
    if value is strawberry.UNSET:
        return None
    return value or ""


def texts(fields: JsonObject | None) -> dict[str, str | None]:
    """Custom fields hold text. Raises Invalid for anything else."""
    for name, value in (fields or {}).items():
        if value is not None and not isinstance(value, str):
            raise Invalid(f"The field {name[:50]} is not a text: write its value in quotes.", ("input", "fields", name))
    return dict(fields or {})
