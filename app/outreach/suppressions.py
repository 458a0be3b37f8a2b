"""Suppressions: addresses that nobody in the tenant writes to, from a person, an unsubscribe link or a bounce."""

from collections.abc import Sequence
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import Invalid, NotFound, Required, TooLong
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.live.recording import record
from app.live.topics import ContactSuppressed, ContactUnsuppressed
from app.outreach.access import reach
from app.outreach.cancelling import cancel_locked
from app.outreach.rules.email_addresses import InvalidEmailAddress, normalise_address
from db.core.paging import Page
from db.queries.outreach import contacts, message_queue
from db.queries.outreach import suppressions as query
from db.queries.outreach.suppressions import Suppression

__all__ = ["Suppression"]
LONGEST_NOTE = 500
_STATUS = {"unsubscribed": "unsubscribed", "bounced": "bounced", "complained": "complained", "manual": "unsubscribed"}
_CANCELLED = "The address was suppressed before the mail left."


@requires(Permission.SUPPRESSIONS_WRITE)
async def suppress_contact(
    caller: Caller, *, contact_id: UUID | None = None, email: str | None = None, note: str | None = None
) -> Suppression:
    """Stops every waiting mail to the address, in the whole tenant. Repeating it changes nothing.

    Raises Required unless exactly one of contact and address is given, NotFound, Invalid, TooLong.
    """
    if (contact_id is None) == (email is None):
        raise Required("Name the contact by its id or by its address, and not by both.", ("input", "contactId"))
    _check_note(note)
    async with caller.transaction():
        workspace_id = None
        if contact_id is not None:
            found = await contacts.contact_by_id(contact_id)
            contact = reach(caller, found, Permission.SUPPRESSIONS_WRITE, noun="contact", field="contactId")
            key, workspace_id = contact.email_key, contact.workspace_id
        else:
            key = _key(email or "")
        suppression = await suppress_in_transaction(
            caller, key, reason="manual", source="person", note=note, campaign_id=None, workspace_id=workspace_id
        )
        await audit(
            caller, "contact.suppress", object_type="Suppression", object_id=suppression.id, details={"email": key}
        )
        return suppression


@requires(Permission.SUPPRESSIONS_WRITE)
async def unsuppress_contact(caller: Caller, suppression_id: UUID, *, note: str) -> Suppression:
    """The address may be written to again; what was cancelled stays so. Returns what was removed.

    Raises NotFound, Required when no reason is given, TooLong.
    """
    if not note.strip():
        raise Required("Say why the address may be written to again: it is kept in the audit trail.", ("input", "note"))
    _check_note(note)
    async with caller.transaction():
        suppression = await query.lock_suppression(suppression_id)
        if suppression is None:
            raise NotFound("suppression", ("input", "suppressionId"))
        await query.delete_suppression(suppression_id)
        await query.set_contact_status(suppression.email_key, "active", caller.now())
        event = ContactUnsuppressed(
            workspace_id=None, object_id=suppression_id, version=2, email=suppression.email_key, note=note.strip()
        )
        await record(caller, event)
        details = {"email": suppression.email_key, "reason": suppression.reason, "note": note.strip()}
        await audit(caller, "contact.unsuppress", object_type="Suppression", object_id=suppression_id, details=details)
        return suppression


@requires(Permission.SUPPRESSIONS_READ)
async def suppressions(caller: Caller, *, email: str | None, first: int, after: UUID | None) -> Page[Suppression]:
    """Newest first; all of the tenant, for they hold for all of it."""
    key = None if email is None else _key(email)
    async with caller.transaction(read_only=True):
        return await query.suppressions(email_key=key, first=first, after=after)


@requires(Permission.SUPPRESSIONS_READ)
async def suppressions_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Suppression | None]:
    async with caller.transaction(read_only=True):
        found = {row.id: row for row in await query.suppressions_by_ids(ids)}
    return [found.get(each) for each in ids]


async def suppress_in_transaction(
    caller: Caller,
    email_key: str,
    *,
    reason: str,
    source: str,
    note: str | None,
    campaign_id: UUID | None,
    workspace_id: UUID | None,
) -> Suppression:
    """Inside the caller's open transaction. Cancels what waits, then writes the suppression: always in that order, so
    that two of them never wait for each other; a mail claimed in between is stopped when it is to be marked."""
    now = caller.now()
    waiting = await message_queue.lock_waiting_to(email_key)
    await cancel_locked(caller, waiting, reason=_CANCELLED, suppressed=True)
    suppression = Suppression(caller.tenant_id, new_id(), email_key, reason, source, note, campaign_id, now)
    if not await query.insert_suppression(suppression):
        standing = await query.suppression_of(email_key)
        return suppression if standing is None else standing
    await query.set_contact_status(email_key, _STATUS[reason], now)
    event = ContactSuppressed(
        workspace_id=workspace_id, object_id=suppression.id, version=1, email=email_key, reason=reason
    )
    await record(caller, event)
    return suppression


def _key(email: str) -> str:
    try:
        return normalise_address(email).key
    except InvalidEmailAddress as error:
        raise Invalid(error.message, ("input", "email")) from error


def _check_note(note: str | None) -> None:
    if note is not None and len(note) > LONGEST_NOTE:
        raise TooLong(f"The note may have at most {LONGEST_NOTE} characters.", ("input", "note"))
