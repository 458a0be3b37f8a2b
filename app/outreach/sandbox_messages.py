"""What the sandbox received from the caller's tenant, where the deployment has one."""

from app.core.caller import Caller
from app.core.errors import BadInput
from app.core.permissions import Permission
from app.core.use_case import requires
from app.outreach.ports import SandboxAway, SandboxInbox, SandboxMail
from db.core.paging import Page

__all__ = ["SandboxMail"]


@requires(Permission.TENANT_UPDATE)
async def sandbox_messages(caller: Caller, *, first: int, after: int) -> Page[SandboxMail]:
    """Oldest first, also those that it refused after it had read them. Raises BadInput where there is no sandbox."""
    inbox = caller.resources.port(SandboxInbox)
    if not inbox.is_there:
        raise BadInput("This deployment has no sandbox: it sends real mail.")
    try:
        mails, has_next = await inbox.received(caller.tenant_id, after=after, first=first)
    except SandboxAway as error:
        raise BadInput(f"The sandbox does not answer: {error}. Is it running?") from error
    return Page(mails, has_next)
