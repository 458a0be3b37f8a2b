"""Lists of contacts: whom a campaign writes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import LimitReached, NotFound, Required, Taken, TooLong, WrongState
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.live.recording import record
from app.live.topics import ContactListChanged
from app.outreach.access import open_workspace, reach
from db.core.paging import Page
from db.queries.outreach import contact_lists as query
from db.queries.outreach import contacts
from db.queries.outreach.campaigns import enrolling_campaign
from db.queries.outreach.contacts import Contact

ContactList = query.ContactList

LONGEST_NAME = 120
MOST_AT_ONCE = 1_000
_EMPTY: Page[Contact] = Page([], False)


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """The list after the change, and how many contacts it changed for: those already on (or off) it do not count."""

    contact_list: ContactList
    count: int


@requires(Permission.CONTACTS_WRITE)
async def create_contact_list(caller: Caller, workspace_id: UUID, name: str) -> ContactList:
    """Raises Required, TooLong, Taken, NotFound, Forbidden."""
    now = caller.now()
    made = ContactList(
        tenant_id=caller.tenant_id,
        id=new_id(),
        workspace_id=workspace_id,
        name=checked_name(name),
        contact_count=0,
        version=1,
        created_at=now,
        updated_at=now,
    )
    async with caller.transaction():
        await open_workspace(caller, workspace_id, Permission.CONTACTS_WRITE)
        if not await query.insert_list(made):
            raise Taken(f"The workspace has a list “{made.name}” already.", ("input", "name"))
        await _changed(caller, made, "created", "contact_list.create")
    return made


def checked_name(name: str) -> str:
    """Raises Required, TooLong."""
    bare = " ".join(name.split())
    if not bare:
        raise Required("Give it a name.", ("input", "name"))
    if len(bare) > LONGEST_NAME:
        raise TooLong(f"A name has at most {LONGEST_NAME} characters.", ("input", "name"))
    return bare


@requires(Permission.CONTACTS_WRITE)
async def delete_contact_list(caller: Caller, list_id: UUID) -> ContactList:
    """The contacts stay. Raises NotFound, Forbidden, WrongState while a campaign enrols it: the rest would get no mail."""
    async with caller.transaction():
        found = await _locked(caller, list_id)
        enrolling = await enrolling_campaign(found.workspace_id, list_id)
        if enrolling is not None:
            message = f"The campaign “{enrolling}” is still enrolling this list: wait until it has, or cancel it first."
            raise WrongState(message, ("input", "listId"))
        await query.delete_list(list_id)
        await _changed(caller, found, "deleted", "contact_list.delete")
    return found


@requires(Permission.CONTACTS_WRITE)
async def add_contacts_to_list(caller: Caller, list_id: UUID, contact_ids: Sequence[UUID]) -> MembersChanged:
    """All or none: raises NotFound when one of the contacts is not in the list's workspace; LimitReached, Forbidden."""
    _check_number(contact_ids)
    async with caller.transaction():
        target = await _locked(caller, list_id)
        found = {
            row.id for row in await contacts.contacts_by_ids(contact_ids) if row.workspace_id == target.workspace_id
        }
        if not found.issuperset(contact_ids):
            raise NotFound("contact in the list's workspace", ("input", "contactIds"))
        count = await query.add_members(list_id, sorted(found), at=caller.now())
        return await _members_changed(caller, target, count, "contact_list.add_contacts")


@requires(Permission.CONTACTS_WRITE)
async def remove_contacts_from_list(caller: Caller, list_id: UUID, contact_ids: Sequence[UUID]) -> MembersChanged:
    """Contacts that are not on it are passed over. Raises NotFound, LimitReached, Forbidden."""
    _check_number(contact_ids)
    async with caller.transaction():
        target = await _locked(caller, list_id)
        count = await query.remove_members(list_id, contact_ids, at=caller.now())
        return await _members_changed(caller, target, count, "contact_list.remove_contacts")


def _check_number(contact_ids: Sequence[UUID]) -> None:
    if len(contact_ids) > MOST_AT_ONCE:
        raise LimitReached(f"At most {MOST_AT_ONCE:,} contacts at once.", ("input", "contactIds"))


async def _locked(caller: Caller, list_id: UUID) -> ContactList:
    found = await query.list_by_id(list_id, lock=True)
    return reach(caller, found, Permission.CONTACTS_WRITE, noun="contact list", field="listId")


async def _members_changed(caller: Caller, before: ContactList, count: int, action: str) -> MembersChanged:
    after = await query.list_by_id(before.id)
    assert after is not None
    if count:
        await _changed(caller, after, "members", action)
    return MembersChanged(after, count)


@requires(Permission.CONTACTS_READ)
async def contact_lists(caller: Caller, workspace_id: UUID, *, first: int, after: UUID | None) -> Page[ContactList]:
    """Newest first; an empty page for a workspace that the caller does not see. Raises Forbidden."""
    if not caller.sees(workspace_id):
        return Page([], False)
    caller.must(Permission.CONTACTS_READ, workspace_id)
    async with caller.transaction(read_only=True):
        return await query.lists_of_workspace(workspace_id, first=first, after=after)


@requires(Permission.CONTACTS_READ)
async def contact_lists_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[ContactList | None]:
    """In the order of `ids`; None for what the caller may not read or what is not there."""
    async with caller.transaction(read_only=True):
        rows = await query.lists_by_ids(ids)
    found = {row.id: row for row in rows if _may_read(caller, row)}
    return [found.get(list_id) for list_id in ids]


@requires(Permission.CONTACTS_READ)
async def contacts_on_list(caller: Caller, list_id: UUID, *, first: int, after: UUID | None) -> Page[Contact]:
    """Newest contact first. Raises NotFound, Forbidden."""
    async with caller.transaction(read_only=True):
        found = await query.list_by_id(list_id)
        reach(caller, found, Permission.CONTACTS_READ, noun="contact list", field="listId")
        pages = await contacts.contacts_on_lists([list_id], first=first, after=after)
    return pages.get(list_id, _EMPTY)


@requires(Permission.CONTACTS_READ)
async def contacts_on_lists(
    caller: Caller, list_ids: Sequence[UUID], *, first: int, after: UUID | None
) -> list[Page[Contact]]:
    """A page of each list, in the order of `list_ids`; empty where the caller may not read the list."""
    async with caller.transaction(read_only=True):
        visible = [row.id for row in await query.lists_by_ids(list_ids) if _may_read(caller, row)]
        pages = await contacts.contacts_on_lists(visible, first=first, after=after)
    return [pages.get(list_id, _EMPTY) for list_id in list_ids]


def _may_read(caller: Caller, row: ContactList) -> bool:
    return caller.sees(row.workspace_id) and caller.may(Permission.CONTACTS_READ, row.workspace_id)


async def _changed(caller: Caller, changed: ContactList, change: str, action: str) -> None:
    await record(
        caller,
        ContactListChanged(
            workspace_id=changed.workspace_id,
            object_id=changed.id,
            version=changed.version,
            change=change,
            contact_count=changed.contact_count,
        ),
    )
    await audit(
        caller, action, object_type="ContactList", object_id=changed.id, details={"count": changed.contact_count}
    )
