"""Unsubscribing by the link of a mail: without signing in, for good, in the whole tenant (RFC 8058)."""

from dataclasses import dataclass
from uuid import UUID

from app.core.caller import Caller, job_caller
from app.core.errors import NotFound
from app.core.use_case import requires
from app.outreach.mail_making import unsubscribe_tokens
from app.outreach.rules.unsubscribe_tokens import UnsubscribeToken
from app.outreach.suppressions import suppress_in_transaction
from db.queries.outreach import messages, suppressions


@dataclass(frozen=True, slots=True)
class UnsubscribeOffer:
    """What the page shows: the address, and whether it is unsubscribed already."""

    email: str
    is_suppressed: bool


class LinkUnknown(NotFound):
    """A token that we did not make, or whose message is gone."""

    def __init__(self) -> None:
        super().__init__("unsubscribe link")


@requires(None)
async def unsubscribe_offer(caller: Caller, token: str) -> UnsubscribeOffer:
    """What a link would do. Changes nothing, however often mail scanners ask. Raises LinkUnknown."""
    worker, read = _opened(caller, token)
    async with worker.transaction(read_only=True):
        email_key, _ = await _addressee(read)
        return UnsubscribeOffer(email_key, await suppressions.suppression_of(email_key) is not None)


@requires(None)
async def unsubscribe(caller: Caller, token: str) -> UnsubscribeOffer:
    """Suppresses the address that the mail went to, also when its contact is erased by now. Repeating it changes nothing.

    Raises LinkUnknown.
    """
    worker, read = _opened(caller, token)
    async with worker.transaction():
        email_key, campaign_id = await _addressee(read)
        await suppress_in_transaction(
            worker,
            email_key,
            reason="unsubscribed",
            source="link",
            note=None,
            campaign_id=campaign_id,
            workspace_id=None,
        )
        return UnsubscribeOffer(email_key, True)


def _opened(caller: Caller, token: str) -> tuple[Caller, UnsubscribeToken]:
    """The token's tenant is the only one that is touched; the token itself is the permission."""
    read = unsubscribe_tokens(caller.resources).read(token)
    if read is None:
        raise LinkUnknown
    return job_caller(caller.resources, read.tenant_id, caller.request_id), read


async def _addressee(token: UnsubscribeToken) -> tuple[str, UUID]:
    rows = await messages.messages_by_ids([token.message_id])
    if not rows or rows[0].contact_id != token.contact_id:
        raise LinkUnknown
    return rows[0].email_key, rows[0].campaign_id
