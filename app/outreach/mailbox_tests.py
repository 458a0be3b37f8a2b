"""The connection test of a mailbox: the job behind connectMailbox and testMailbox."""

from dataclasses import replace
from uuid import UUID

from app.core.caller import Caller
from app.outreach.mailbox_servers import smtp_server
from app.outreach.mailboxes import Mailbox, record_status, release_queue, wake_mailbox
from app.outreach.ports import ConnectionVerdict, MailSubmitter
from app.outreach.rules.deferral import LASTING_PROBLEMS
from app.outreach.rules.mailbox_states import MailboxState
from db.queries.outreach import mailbox_runs
from db.queries.outreach import mailboxes as query


async def run_mailbox_test(caller: Caller, mailbox_id: UUID) -> None:
    """Job: connects, signs in, names the sender, and writes the verdict. A change of the login meanwhile wins.

    A mailbox that worked before stays verified when the problem may pass by itself.
    """
    async with caller.transaction(read_only=True):
        mailbox = await query.mailbox_by_id(mailbox_id)
        sealed = await query.mailbox_secret(mailbox_id)
    if mailbox is None or sealed is None:
        return
    server = smtp_server(caller, mailbox_id, mailbox, sealed)
    verdict = await caller.resources.port(MailSubmitter).check(server, sender=mailbox.address)
    async with caller.transaction():
        now_there = await query.lock_mailbox(mailbox_id)
        if now_there is None or now_there.smtp_version != mailbox.smtp_version:
            return
        if now_there.state == MailboxState.DISCONNECTED:
            return
        tested = _with_verdict(caller, now_there, verdict)
        await query.update_mailbox(tested)
        if verdict.ok:
            await mailbox_runs.forget_problem(mailbox_id)
        await record_status(caller, tested, tested.verdict_sentence)
        if tested.state == MailboxState.VERIFIED:
            await wake_mailbox(caller, mailbox_id)
        else:
            await release_queue(caller, mailbox_id)


def _with_verdict(caller: Caller, mailbox: Mailbox, verdict: ConnectionVerdict) -> Mailbox:
    may_pass = verdict.problem is not None and verdict.problem not in LASTING_PROBLEMS
    stays = mailbox.state == MailboxState.VERIFIED and may_pass
    words = verdict.sentence if verdict.reply is None else f"{verdict.sentence} The server said: {verdict.reply}"
    return replace(
        mailbox,
        state=MailboxState.VERIFIED if verdict.ok or stays else MailboxState.FAILED,
        verdict_problem=verdict.problem,
        verdict_sentence=words,
        verdict_at=caller.now(),
        version=mailbox.version + 1,
        updated_at=caller.now(),
    )
