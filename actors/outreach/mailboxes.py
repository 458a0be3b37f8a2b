"""Jobs of mailboxes."""

from actors.core.handler import handles
from app.core.caller import Caller
from app.outreach import campaign_holding, mailbox_runs, mailbox_tests
from app.outreach.jobs import ReleaseMailboxQueue, SendDue, TestMailbox


@handles(TestMailbox)
async def run_mailbox_test(caller: Caller, job: TestMailbox) -> None:
    await mailbox_tests.run_mailbox_test(caller, job.mailbox_id)


@handles(SendDue)
async def send_due(caller: Caller, job: SendDue) -> None:
    await mailbox_runs.send_due(caller, job.mailbox_id)


@handles(ReleaseMailboxQueue)
async def release_mailbox_queue(caller: Caller, job: ReleaseMailboxQueue) -> None:
    await campaign_holding.release_mailbox_queue(caller, job.mailbox_id)
