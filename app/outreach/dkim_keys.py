"""DKIM keys: our own selectors, so that a key can be replaced while mails signed by the old one are on their way."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import Invalid, WrongState
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.outreach.access import open_workspace, reach
from app.outreach.rules.dkim_key_states import DkimKeyState, selector_for
from app.outreach.rules.dkim_signature import new_private_key, public_record
from app.outreach.rules.header_safety import UnsafeHeader, ascii_domain
from db.core.paging import Page
from db.queries.outreach import dkim_keys as query
from db.queries.outreach.dkim_keys import DkimKey

__all__ = ["DkimKey"]


@requires(Permission.DKIM_KEYS_MANAGE)
async def generate_dkim_key(caller: Caller, workspace_id: UUID, domain: str) -> DkimKey:
    """A pending key; its TXT record is to be published before it is activated. Raises Invalid, NotFound, Forbidden."""
    name = _checked_domain(domain)
    pem = await asyncio.to_thread(new_private_key)
    key_id, now = new_id(), caller.now()
    key = DkimKey(
        tenant_id=caller.tenant_id,
        id=key_id,
        workspace_id=workspace_id,
        domain=name,
        selector=selector_for(key_id, now.date()),
        public_record=public_record(pem),
        state=DkimKeyState.PENDING,
        version=1,
        created_at=now,
        activated_at=None,
        retired_at=None,
    )
    sealed = caller.resources.cipher.seal(
        pem, tenant_id=caller.tenant_id, table="dkim_keys", column="private_key", row_id=key_id
    )
    async with caller.transaction():
        await open_workspace(caller, workspace_id, Permission.DKIM_KEYS_MANAGE)
        await query.insert_key(key, private_key=sealed)
        await _audited(caller, key, "dkim_key.generate")
    return key


@requires(Permission.DKIM_KEYS_MANAGE)
async def activate_dkim_key(caller: Caller, key_id: UUID) -> DkimKey:
    """From now on mails of the domain are signed by it; the key before is retired, and its record should stay for a week.

    There is no look into DNS here: the caller says that the record is published. Raises NotFound, WrongState, Forbidden.
    """
    async with caller.transaction():
        key = await _locked(caller, key_id)
        if key.state != DkimKeyState.PENDING:
            raise WrongState(f"The key is {key.state}: only a pending one can be activated.", ("input", "dkimKeyId"))
        now = caller.now()
        await query.activate_key(key_id, key.domain, now)
        await _audited(caller, key, "dkim_key.activate")
        return replace(key, state=DkimKeyState.ACTIVE, activated_at=now, version=key.version + 1)


@requires(Permission.DKIM_KEYS_MANAGE)
async def retire_dkim_key(caller: Caller, key_id: UUID) -> DkimKey:
    """Forgets its private half; mails of the domain go unsigned by us until another is active.

    Raises NotFound, WrongState, Forbidden.
    """
    async with caller.transaction():
        key = await _locked(caller, key_id)
        if key.state == DkimKeyState.RETIRED:
            raise WrongState("The key is retired already.", ("input", "dkimKeyId"))
        now = caller.now()
        await query.retire_key(key_id, now)
        await _audited(caller, key, "dkim_key.retire")
        return replace(key, state=DkimKeyState.RETIRED, retired_at=now, version=key.version + 1)


@requires(Permission.DKIM_KEYS_MANAGE)
async def dkim_keys(caller: Caller, workspace_id: UUID, *, first: int, after: UUID | None) -> Page[DkimKey]:
    """Newest first; an empty page for a workspace that the caller does not see."""
    if not caller.sees(workspace_id):
        return Page([], False)
    caller.must(Permission.DKIM_KEYS_MANAGE, workspace_id)
    async with caller.transaction(read_only=True):
        return await query.keys(workspace_id, first=first, after=after)


@requires(Permission.DKIM_KEYS_MANAGE)
async def dkim_keys_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[DkimKey | None]:
    """In the order of `ids`; None for what is not there, or in a workspace where the caller does not manage keys."""
    async with caller.transaction(read_only=True):
        rows = await query.keys_by_ids(ids)
    found = {row.id: row for row in rows if caller.may(Permission.DKIM_KEYS_MANAGE, row.workspace_id)}
    return [found.get(each) for each in ids]


async def _locked(caller: Caller, key_id: UUID) -> DkimKey:
    found = await query.lock_key(key_id)
    return reach(caller, found, Permission.DKIM_KEYS_MANAGE, noun="DKIM key", field="dkimKeyId")


async def _audited(caller: Caller, key: DkimKey, action: str) -> None:
    details = {"domain": key.domain, "selector": key.selector}
    await audit(caller, action, object_type="DkimKey", object_id=key.id, details=details)


def _checked_domain(domain: str) -> str:
    try:
        name = ascii_domain(domain.strip(), field="domain")
    except UnsafeHeader as error:
        raise Invalid(error.message, ("input", "domain")) from error
    if "." not in name or "_" in name:
        raise Invalid("Name a whole domain, such as acme.example.", ("input", "domain"))
    return name
