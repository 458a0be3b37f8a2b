"""Watching one mailbox live."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from uuid import UUID

from app.core.caller import Caller
from app.core.permissions import Permission
from app.core.use_case import watches
from app.live.watching import Only, state
from app.outreach.mailboxes import Mailbox, mailbox_by_id


@watches(Permission.MAILBOXES_READ)
async def mailbox_status(caller: Caller, mailbox_id: UUID) -> AsyncGenerator[Mailbox, None]:
    """The mailbox now and after every change, at most once a second. Raises NotFound."""
    load = partial(mailbox_by_id, mailbox_id=mailbox_id)
    only = Only(whole=("mailbox_id", mailbox_id))
    async with aclosing(state(caller, only=only, load=load, permission=Permission.MAILBOXES_READ)) as values:
        async for value in values:
            yield value
