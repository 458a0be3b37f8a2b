"""Lists of contacts in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import contact_lists as use
from app.outreach.contact_lists import ContactList as ContactListRow
from app.outreach.contacts import Contact as ContactRow
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, PageOf, Part, Window, connection, load_parts, window
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query
from graph.outreach.contacts import Contact


# ---- types
@strawberry.type(description="A list of contacts: whom a campaign writes to.")
class ContactList(Node):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the list belongs to.")
    name: str = strawberry.field(description="The name, unique in the workspace.")
    contact_count: int = strawberry.field(description="How many contacts are on it.")
    version: int = strawberry.field(description="Counts the changes.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it or its members last changed.")

    @staticmethod
    def of(row: ContactListRow) -> "ContactList":
        return ContactList(
            id=global_id("ContactList", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            name=row.name,
            contact_count=row.contact_count,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[ContactList | None]":
        rows = await use.contact_lists_by_ids(context.caller, ids)
        return [ContactList.of(row) if row else None for row in rows]

    @query(uses=use.contacts_on_lists, description="The contacts on the list, newest contact first.")
    async def contacts(self, info: Info, first: First = 25, after: After = None) -> Connection[Contact]:
        part = (local_id(self.id, "ContactList"), window(first, after))
        return connection(await info.context.loaders.load(contacts_by_list, part), Contact.of)


# ---- inputs
@strawberry.input(description="What createContactList needs.")
class CreateContactListInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to create it in.")
    name: str = strawberry.field(description="A name that the workspace has not used, at most 120 characters.")


@strawberry.input(description="What deleteContactList needs.")
class DeleteContactListInput(IdempotentInput):
    list_id: strawberry.ID = strawberry.field(description="The list to delete.")


@strawberry.input(description="What addContactsToList needs.")
class AddContactsToListInput(IdempotentInput):
    list_id: strawberry.ID = strawberry.field(description="The list to add to.")
    contact_ids: list[strawberry.ID] = strawberry.field(description="Up to 1,000 contacts of the same workspace.")


@strawberry.input(description="What removeContactsFromList needs.")
class RemoveContactsFromListInput(IdempotentInput):
    list_id: strawberry.ID = strawberry.field(description="The list to take them off.")
    contact_ids: list[strawberry.ID] = strawberry.field(description="Up to 1,000 contacts.")


# ---- payloads
@strawberry.type(description="The answer of createContactList.")
class CreateContactListPayload(Payload):
    contact_list: ContactList | None = strawberry.field(default=None, description="The new list.")


@strawberry.type(description="The answer of deleteContactList.")
class DeleteContactListPayload(Payload):
    deleted_contact_list_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the list that is gone; its contacts stay."
    )


@strawberry.type(description="The answer of addContactsToList.")
class AddContactsToListPayload(Payload):
    contact_list: ContactList | None = strawberry.field(default=None, description="The list after the change.")
    added_count: int | None = strawberry.field(default=None, description="How many were not on it before.")


@strawberry.type(description="The answer of removeContactsFromList.")
class RemoveContactsFromListPayload(Payload):
    contact_list: ContactList | None = strawberry.field(default=None, description="The list after the change.")
    removed_count: int | None = strawberry.field(default=None, description="How many were on it.")


# ---- loaders
async def contacts_by_list(context: Context, parts: Sequence[Part]) -> list[PageOf[ContactRow]]:
    async def load(list_ids: list[UUID], page: Window) -> Sequence[PageOf[ContactRow]]:
        return await use.contacts_on_lists(context.caller, list_ids, first=page.first, after=page.after)

    return await load_parts(parts, load)


# ---- queries
@strawberry.type
class ContactListQueries:
    @query(uses=use.contact_lists, description="The lists of a workspace, newest first.")
    async def contact_lists(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        first: First = 25,
        after: After = None,
    ) -> Connection[ContactList]:
        page = window(first, after)
        place = local_id(workspace_id, "Workspace")
        rows = await use.contact_lists(info.context.caller, place, first=page.first, after=page.after)
        return connection(rows, ContactList.of)

    @query(uses=use.contact_lists_by_ids, description="One list, or null.")
    async def contact_list(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The list's id.")]
    ) -> ContactList | None:
        return (await ContactList.load_nodes(info.context, [local_id(id, "ContactList")]))[0]


# ---- mutations
@strawberry.type
class ContactListMutations:
    @mutation(uses=use.create_contact_list, description="Creates an empty list.")
    async def create_contact_list(
        self, info: Info, input: Annotated[CreateContactListInput, strawberry.argument(description="The new list.")]
    ) -> CreateContactListPayload:
        workspace_id = local_id(input.workspace_id, "Workspace")
        row = await use.create_contact_list(info.context.caller, workspace_id, input.name)
        return CreateContactListPayload(contact_list=ContactList.of(row))

    @mutation(uses=use.delete_contact_list, description="Deletes a list; its contacts stay.")
    async def delete_contact_list(
        self, info: Info, input: Annotated[DeleteContactListInput, strawberry.argument(description="What to delete.")]
    ) -> DeleteContactListPayload:
        row = await use.delete_contact_list(info.context.caller, local_id(input.list_id, "ContactList"))
        return DeleteContactListPayload(deleted_contact_list_id=global_id("ContactList", row.id))

    @mutation(uses=use.add_contacts_to_list, description="Puts contacts on a list, all of them or none.")
    async def add_contacts_to_list(
        self, info: Info, input: Annotated[AddContactsToListInput, strawberry.argument(description="Whom to add.")]
    ) -> AddContactsToListPayload:
        ids = [local_id(contact_id, "Contact") for contact_id in input.contact_ids]
        done = await use.add_contacts_to_list(info.context.caller, local_id(input.list_id, "ContactList"), ids)
        return AddContactsToListPayload(contact_list=ContactList.of(done.contact_list), added_count=done.count)

    @mutation(
        uses=use.remove_contacts_from_list,
        description="Takes contacts off a list; those that are not on it are passed over.",
    )
    async def remove_contacts_from_list(
        self,
        info: Info,
        input: Annotated[RemoveContactsFromListInput, strawberry.argument(description="Whom to take off.")],
    ) -> RemoveContactsFromListPayload:
        ids = [local_id(contact_id, "Contact") for contact_id in input.contact_ids]
        done = await use.remove_contacts_from_list(info.context.caller, local_id(input.list_id, "ContactList"), ids)
        return RemoveContactsFromListPayload(contact_list=ContactList.of(done.contact_list), removed_count=done.count)
