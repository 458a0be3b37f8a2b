"""A mailbox's own SMTP server: its login opened for one use, and what is done when it cannot be used."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from app.core.caller import Caller
from app.jobs.outbox import enqueue
from app.outreach.jobs import ReleaseMailboxQueue
from app.outreach.mailbox_leases import HeldMailbox
from app.outreach.mailboxes import record_status
from app.outreach.ports import ServerUnusable, SmtpSecurity, SmtpServer
from app.outreach.rules.deferral import connection_delay_seconds, is_lasting
from app.outreach.rules.mailbox_states import MailboxState
from db.queries.outreach import mailbox_runs, mailboxes


class StoredLogin(Protocol):
    """A row that names a mailbox's server."""

    @property
    def smtp_host(self) -> str: ...
    @property
    def smtp_port(self) -> int: ...
    @property
    def smtp_security(self) -> str: ...
    @property
    def smtp_username(self) -> str: ...


def smtp_server(caller: Caller, mailbox_id: UUID, login: StoredLogin, sealed: bytes) -> SmtpServer:
    """With the password opened. Raises SecretUnreadable."""
    password = caller.resources.cipher.open(
        sealed, tenant_id=caller.tenant_id, table="mailboxes", column="smtp_secret", row_id=mailbox_id
    )
    security = SmtpSecurity(login.smtp_security)
    return SmtpServer(login.smtp_host, login.smtp_port, security, login.smtp_username, password.decode())


async def note_unusable(caller: Caller, held: HeldMailbox, error: ServerUnusable) -> None:
    """A lasting problem ends the mailbox's sending until a person has seen to it; else it tries again later.

    Either way the mailbox shows the sentence and the server's words.
    """
    words = error.reason if error.reply is None else f"{error.reason} The server said: {error.reply}"
    if is_lasting(error.problem, error.reply, error.phase):
        await _fail(caller, held, error, words)
        return
    await put_off(caller, held, words)


async def put_off(caller: Caller, held: HeldMailbox, words: str) -> None:
    """Nothing is tried again before 30 seconds, and twice as long with each failure in a row, up to an hour."""
    failures = held.start.failures + 1
    delay = connection_delay_seconds(failures, jitter=random.random())  # noqa: S311  # spreads retries, guards nothing
    async with caller.transaction():
        now = caller.now()
        until = now + timedelta(seconds=delay)
        await mailbox_runs.put_off(
            held.mailbox_id, held.start.fence, until=until, failures=failures, problem=words, now=now
        )
        mailbox = await mailboxes.mailbox_by_id(held.mailbox_id)
        if mailbox is not None:
            await record_status(caller, mailbox, f"{words} Tried again in {delay:.0f} seconds.")


async def _fail(caller: Caller, held: HeldMailbox, error: ServerUnusable, words: str) -> None:
    async with caller.transaction():
        mailbox = await mailboxes.lock_mailbox(held.mailbox_id)
        if mailbox is None or mailbox.state != MailboxState.VERIFIED or mailbox.smtp_version != held.start.smtp_version:
            return
        failed = replace(
            mailbox,
            state=MailboxState.FAILED,
            verdict_problem=error.problem,
            verdict_sentence=words,
            verdict_at=caller.now(),
            version=mailbox.version + 1,
            updated_at=caller.now(),
        )
        await mailboxes.update_mailbox(failed)
        await enqueue(caller, ReleaseMailboxQueue(mailbox.id), dedupe_key=f"release_queue:{mailbox.id}")
        await record_status(caller, failed, words)
