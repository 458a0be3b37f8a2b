"""Mailboxes: what is refused at once, what is sealed, and what a change of settings leads to."""

import pytest

from app.core.errors import DomainError
from app.core.secrets import SecretUnreadable
from app.outreach.mailboxes import (
    Mailbox,
    MailboxChanges,
    connect_mailbox,
    disconnect_mailbox,
    mailbox_by_id,
    mailboxes,
    pause_mailbox,
    resume_mailbox,
    test_mailbox,
    update_mailbox,
)
from app.outreach.ports import SmtpSecurity
from app.outreach.rules.mailbox_states import MailboxState
from tests.app.outreach.contact_stage import new_stage
from tests.app.outreach.sending_stage import SendingStage, people


async def test_a_connected_mailbox_is_tested_and_its_password_is_sealed_to_its_row(sending: SendingStage) -> None:
    mailbox = await connect_mailbox(
        sending.owner, sending.stage.workspace_id, sending.settings("Alice@ACME.example", password="open sesame")
    )
    assert (mailbox.state, mailbox.address, mailbox.verdict_at) == ("unverified", "Alice@acme.example", None)

    await sending.work()

    tested = await mailbox_by_id(sending.owner, mailbox.id)
    assert (tested.state, tested.verdict_problem) == (MailboxState.VERIFIED, None)
    row = (await sending.stage.rows("SELECT * FROM mailboxes WHERE tenant_id = $1"))[0]
    assert b"sesame" not in row["smtp_secret"]
    assert "sesame" not in repr(await sending.snapshot()).replace(repr(row["smtp_secret"]), "")
    place = {"table": "mailboxes", "column": "smtp_secret"}
    cipher, tenant = sending.owner.resources.cipher, sending.owner.tenant_id
    assert cipher.open(row["smtp_secret"], tenant_id=tenant, row_id=mailbox.id, **place) == b"open sesame"
    with pytest.raises(SecretUnreadable):
        cipher.open(row["smtp_secret"], tenant_id=tenant, row_id=tenant, **place)


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"host": "10.0.0.1", "port": 587}, "smtpHost"),
        ({"host": "127.0.0.1", "port": 25}, "smtpHost"),
        ({"host": "[::1]", "port": 465}, "smtpHost"),
        ({"host": "2130706433", "port": 465}, "smtpHost"),
        ({"host": "0x7f000001", "port": 465}, "smtpHost"),
        ({"host": "localhost", "port": 465}, "smtpHost"),
        ({"host": "mail.internal", "port": 465}, "smtpHost"),
        ({"host": "a" * 300 + ".example", "port": 465}, "smtpHost"),
        ({"host": "mail.example/x", "port": 465}, "smtpHost"),
        ({"host": "mail.acme.example", "port": 22}, "smtpPort"),
        ({"host": "mail.acme.example", "port": 465, "security": SmtpSecurity.PLAIN}, "smtpSecurity"),
        ({"address": "no address"}, "address"),
        ({"address": "a\r\nb@acme.example", "username": "alice"}, "address"),
        ({"display_name": "Eve\r\nBcc: x@example.com"}, "displayName"),
        ({"display_name": "=?utf-8?q?x?="}, "displayName"),
        ({"display_name": "x" * 121}, "displayName"),
        ({"username": "a\nb"}, "smtpUsername"),
        ({"password": ""}, "smtpPassword"),
        ({"daily_cap": 0}, "dailyCap"),
        ({"daily_cap": 100_001}, "dailyCap"),
        ({"minimum_gap_seconds": -1}, "minimumGapSeconds"),
    ],
)
async def test_wrong_settings_are_refused_at_once(sending: SendingStage, changed: dict[str, object], path: str) -> None:
    given = {"address": "alice@acme.example"} | changed

    with pytest.raises(DomainError) as refused:
        await connect_mailbox(sending.owner, sending.stage.workspace_id, sending.settings(**given))  # type: ignore[arg-type]

    assert refused.value.path == ("input", path)
    assert await sending.stage.count("mailboxes") == 0
    assert await sending.stage.count("jobs") == 0


async def test_an_address_is_connected_once_in_a_tenant_and_again_after_it_was_disconnected(
    sending: SendingStage,
) -> None:
    mailbox = await sending.mailbox("alice@acme.example")
    with pytest.raises(DomainError) as refused:
        await sending.mailbox("ALICE@acme.example")
    assert refused.value.code == "TAKEN"

    gone = await disconnect_mailbox(sending.owner, mailbox.id)
    again = await sending.mailbox("alice@acme.example")

    assert gone.state == MailboxState.DISCONNECTED
    listed = await mailboxes(sending.owner, sending.stage.workspace_id, first=10, after=None)
    assert [row.id for row in listed.items] == [again.id]
    rows = await sending.stage.rows("SELECT smtp_secret FROM mailboxes WHERE tenant_id = $1 AND id = $2", mailbox.id)
    assert rows == [{"smtp_secret": None}]
    for act in (pause_mailbox, resume_mailbox, disconnect_mailbox, test_mailbox):
        with pytest.raises(DomainError) as refused:
            await act(sending.owner, mailbox.id)
        assert refused.value.code == "WRONG_STATE"
    other = await new_stage(sending.owner.resources)
    await connect_mailbox(other.owner, other.workspace_id, sending.settings("alice@acme.example"))


async def test_a_new_password_is_tested_before_anything_is_sent_with_it(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()

    changed = await update_mailbox(sending.owner, mailbox.id, MailboxChanges(password="another"))
    assert changed.state == MailboxState.UNVERIFIED
    await sending.work()
    assert (await mailbox_by_id(sending.owner, mailbox.id)).state == MailboxState.VERIFIED

    renamed = await update_mailbox(sending.owner, mailbox.id, MailboxChanges(display_name="Alice B."))
    assert (renamed.state, renamed.display_name) == (MailboxState.VERIFIED, "Alice B.")


async def test_a_login_that_changes_while_mails_are_claimed_stops_the_run(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(10), [mailbox])

    async def change() -> Mailbox:
        return await update_mailbox(
            sending.owner, mailbox.id, MailboxChanges(username="alice+refuse-auth@acme.example")
        )

    sending.after_mail(3, change)
    await sending.work()

    assert len(sending.received()) == 3
    assert await sending.counts(campaign) == {"sent": 3, "queued": 7}
    assert (await mailbox_by_id(sending.owner, mailbox.id)).state == MailboxState.FAILED

    await update_mailbox(sending.owner, mailbox.id, MailboxChanges(username="alice@acme.example"))
    await sending.work()
    assert sending.received() == dict.fromkeys(people(10), 1)


async def test_pausing_twice_and_resuming_what_runs_are_refused(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    with pytest.raises(DomainError):
        await resume_mailbox(sending.owner, mailbox.id)
    paused = await pause_mailbox(sending.owner, mailbox.id, reason="Holidays")
    with pytest.raises(DomainError):
        await pause_mailbox(sending.owner, mailbox.id)

    assert (paused.state, paused.pause_reason) == (MailboxState.VERIFIED, "Holidays")
    assert (await sending.topics())["mailbox.status_changed"] == 3
