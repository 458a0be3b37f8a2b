"""What the sender does beyond the one message: suppresses a bad address, slows down, pauses a mailbox or a domain."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.caller import Caller
from app.live.recording import record
from app.live.topics import MailboxStatusChanged
from app.outreach.mailbox_leases import HeldMailbox
from app.outreach.mailboxes import pause_locked
from app.outreach.rules.deferral import (
    RECENT_TRIES,
    RecentTry,
    Settlement,
    is_always_in_doubt,
    is_domain_distrusted,
    slowdown_level,
    slowdown_seconds,
)
from app.outreach.rules.mailbox_states import MailboxState
from app.outreach.rules.smtp_replies import Reaction
from app.outreach.suppressions import suppress_in_transaction
from db.queries.outreach import mailbox_runs as runs
from db.queries.outreach import mailboxes, message_queue
from db.queries.outreach.ledger import ClaimedMessage


async def suppress_bounced(caller: Caller, message: ClaimedMessage, settlement: Settlement) -> None:
    """In the transaction that records the bounce: the address is never written to again."""
    await suppress_in_transaction(
        caller,
        message.email_key,
        reason="bounced",
        source="smtp",
        note=settlement.reply,
        campaign_id=message.campaign_id,
        workspace_id=message.workspace_id,
    )


async def react(caller: Caller, held: HeldMailbox, message: ClaimedMessage, settlement: Settlement) -> datetime | None:
    """After the outcome is recorded, in a transaction of its own.

    Returns until when nothing goes from this mailbox to the recipient's domain, where the reaction is a slow-down.
    """
    words = f"{settlement.reason} The server said: {settlement.reply}"
    if settlement.reaction is Reaction.SLOW_PROVIDER:
        return await _slow_down(caller, held, message.recipient_domain, words)
    if settlement.reaction is Reaction.PAUSE_MAILBOX:
        await pause_mailbox_because(caller, held.mailbox_id, words)
    elif settlement.reaction is Reaction.PAUSE_DOMAIN:
        await _pause_domain_if_distrusted(caller, held, words)
    return None


async def _slow_down(caller: Caller, held: HeldMailbox, domain: str, words: str) -> datetime:
    async with caller.transaction():
        now = caller.now()
        level, until = await runs.slowdown(held.mailbox_id, domain) or (0, None)
        level = slowdown_level(level, previous_until=until, recent=await _recent(held), now=now)
        first_seconds = caller.resources.settings.provider_slowdown_seconds
        until = now + timedelta(seconds=slowdown_seconds(level, first_seconds=first_seconds))
        await runs.write_slowdown(held.mailbox_id, domain, level=level, until_at=until, reply=words)
        await message_queue.delay_provider(held.mailbox_id, domain, until)
        await _tell(caller, held.mailbox_id, f"Slowed down for {domain} until {until:%H:%M} UTC. {words}")
    return until


async def pause_mailbox_because(caller: Caller, mailbox_id: UUID, words: str) -> None:
    """Until a person resumes it."""
    async with caller.transaction():
        mailbox = await mailboxes.lock_mailbox(mailbox_id)
        if mailbox is not None and mailbox.state != MailboxState.DISCONNECTED and mailbox.paused_at is None:
            await pause_locked(caller, mailbox, words)


async def pause_if_always_in_doubt(caller: Caller, held: HeldMailbox) -> bool:
    """After a doubt was recorded: a server that loses every answer must not put a whole list in doubt. True when paused."""
    async with caller.transaction(read_only=True):
        recent = await _recent(held)
    if not is_always_in_doubt(recent):
        return False
    words = (
        f"The last {RECENT_TRIES} mails ended in doubt: the mail server takes a mail and ends the connection without an "
        "answer. Find out what became of them before you resume the mailbox."
    )
    await pause_mailbox_because(caller, held.mailbox_id, words)
    return True


async def _pause_domain_if_distrusted(caller: Caller, held: HeldMailbox, words: str) -> None:
    domain = held.start.domain
    async with caller.transaction():
        if not is_domain_distrusted(await _recent(held)):
            return
        for mailbox in await mailboxes.lock_mailboxes_of_domain(domain):
            if mailbox.paused_at is None:
                await pause_locked(caller, mailbox, f"Every mailbox of {domain} is paused. {words}")


async def _recent(held: HeldMailbox) -> list[RecentTry]:
    return [RecentTry(*each) for each in await runs.recent_tries(held.mailbox_id, RECENT_TRIES)]


async def _tell(caller: Caller, mailbox_id: UUID, reason: str) -> None:
    mailbox = await mailboxes.mailbox_by_id(mailbox_id)
    if mailbox is None:
        return
    await record(
        caller,
        MailboxStatusChanged(
            workspace_id=mailbox.workspace_id,
            object_id=mailbox.id,
            version=mailbox.version,
            state=mailbox.state,
            paused=mailbox.paused_at is not None,
            reason=reason,
        ),
    )
