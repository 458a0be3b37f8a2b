"""Contacts, one at a time: create, change, delete and find the people of a workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import BadInput, DomainError, Problems, Taken
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.live.recording import record
from app.live.topics import ContactChanged
from app.outreach.access import open_workspace, reach
from app.outreach.rules.contact_fields import ContactValues, check_custom_names, contact_values
from db.core.paging import Page
from db.queries.outreach import contacts as query

Contact = query.Contact

LONGEST_SEARCH = 254


@dataclass(frozen=True, slots=True)
class ContactInput:
    """What a person fills in. In a change, None leaves a field as it is; in `fields`, None removes one."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    fields: Mapping[str, str | None] | None = None


@requires(Permission.CONTACTS_WRITE)
async def create_contact(caller: Caller, workspace_id: UUID, given: ContactInput) -> Contact:
    """Raises Problems for wrong fields, Taken for an address that the workspace has, NotFound, Forbidden."""
    values, now = _checked({}, given), caller.now()
    contact = Contact(
        tenant_id=caller.tenant_id,
        id=new_id(),
        workspace_id=workspace_id,
        email=values.email.address,
        email_key=values.email.key,
        first_name=values.first_name,
        last_name=values.last_name,
        company=values.company,
        fields=dict(values.fields),
        status="active",
        version=1,
        created_at=now,
        updated_at=now,
    )
    async with caller.transaction():
        await open_workspace(caller, workspace_id, Permission.CONTACTS_WRITE)
        if not await query.insert_contact(contact):
            raise _taken(contact)
        await _changed(caller, contact, "created", "contact.create")
    return contact


@requires(Permission.CONTACTS_WRITE)
async def update_contact(caller: Caller, contact_id: UUID, changes: ContactInput) -> Contact:
    """Raises Problems, Taken, NotFound, Forbidden."""
    async with caller.transaction():
        found = await query.contact_by_id(contact_id, lock=True)
        contact = reach(caller, found, Permission.CONTACTS_WRITE, noun="contact", field="contactId")
        values = _checked(_texts(contact), changes)
        changed = replace(
            contact,
            email=values.email.address,
            email_key=values.email.key,
            first_name=values.first_name,
            last_name=values.last_name,
            company=values.company,
            fields=dict(values.fields),
            version=contact.version + 1,
            updated_at=caller.now(),
        )
        if not await query.update_contact(changed):
            raise _taken(changed)
        await _changed(caller, changed, "updated", "contact.update")
    return changed


@requires(Permission.CONTACTS_WRITE)
async def delete_contact(caller: Caller, contact_id: UUID) -> Contact:
    """Erases the contact and takes it off its lists; messages that were sent stay in the ledger. Raises NotFound, Forbidden."""
    async with caller.transaction():
        found = await query.contact_by_id(contact_id, lock=True)
        contact = reach(caller, found, Permission.CONTACTS_WRITE, noun="contact", field="contactId")
        await query.delete_contact(contact_id)
        await _changed(caller, replace(contact, version=contact.version + 1), "deleted", "contact.delete")
    return contact


@requires(Permission.CONTACTS_READ)
async def contacts(
    caller: Caller, workspace_id: UUID, *, search: str | None, first: int, after: str | None
) -> Page[Contact]:
    """Newest first, `after` an id; with `search`, those whose address begins so, by address, `after` a key.

    An empty page for a workspace that the caller does not see. Raises Forbidden.
    """
    if not caller.sees(workspace_id):
        return Page([], False)
    caller.must(Permission.CONTACTS_READ, workspace_id)
    async with caller.transaction(read_only=True):
        if search is None or not search.strip():
            return await query.contacts_of_workspace(workspace_id, first=first, after=_id(after))
        prefix = search.strip().lower()[:LONGEST_SEARCH]
        return await query.contacts_with_prefix(workspace_id, _storable(prefix), first=first, after=_storable(after))


def _id(after: str | None) -> UUID | None:
    return None if after is None else UUID(after)


def _storable(text: str | None) -> str:
    """Raises BadInput for what no address can hold and PostgreSQL cannot compare."""
    if text is not None and "\x00" in text:
        raise BadInput("A search and its cursor hold no NUL.")
    return text or ""


@requires(Permission.CONTACTS_READ)
async def contacts_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Contact | None]:
    """In the order of `ids`; None for what the caller may not read or what is not there."""
    async with caller.transaction(read_only=True):
        found = {
            row.id: row
            for row in await query.contacts_by_ids(ids)
            if caller.may(Permission.CONTACTS_READ, row.workspace_id) and caller.sees(row.workspace_id)
        }
    return [found.get(contact_id) for contact_id in ids]


def _checked(present: Mapping[str, str], given: ContactInput) -> ContactValues:
    problems: list[DomainError] = []
    fields = given.fields or {}
    try:
        check_custom_names(fields)
    except Problems as error:
        problems.extend(error.parts())
    standard = {
        "email": given.email,
        "first_name": given.first_name,
        "last_name": given.last_name,
        "company": given.company,
    }
    texts = dict(present)
    for name, text in {**fields, **{name: text for name, text in standard.items() if text is not None}}.items():
        texts[name] = "" if text is None else text
    try:
        values = contact_values(texts)
    except Problems as error:
        problems.extend(error.parts())
    if problems:
        raise Problems(problems)
    return values


def _texts(contact: Contact) -> dict[str, str]:
    return contact.fields | {
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "company": contact.company,
    }


def _taken(contact: Contact) -> Taken:
    return Taken(f"The workspace has a contact {contact.email_key} already.", ("input", "email"))


async def _changed(caller: Caller, contact: Contact, change: str, action: str) -> None:
    await record(
        caller,
        ContactChanged(workspace_id=contact.workspace_id, object_id=contact.id, version=contact.version, change=change),
    )
    await audit(caller, action, object_type="Contact", object_id=contact.id)
