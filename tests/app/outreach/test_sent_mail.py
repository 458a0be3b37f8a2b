"""The mails themselves, as a receiver gets them: identity, links, signature, nothing that a field could smuggle in."""

import email
import email.policy
from email.message import EmailMessage

import dkim
import httpx
import pytest
from starlette.applications import Starlette

from app.core.ids import new_id
from app.http.unsubscribe import unsubscribe_routes
from app.outreach.contacts import delete_contact
from app.outreach.dkim_keys import activate_dkim_key, generate_dkim_key, retire_dkim_key
from app.outreach.mail_making import return_path_key, unsubscribe_tokens
from app.outreach.messages import messages, rendered_again
from app.outreach.rules.message_identity import parse_message_id, parse_return_path
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource
from app.outreach.rules.unsubscribe_tokens import UnsubscribeToken
from app.sandbox.inbox import Filter
from tests.app.outreach.sending_stage import SendingStage, people

BOTH = TemplateSource(
    "For {{ first_name }}", "Dear {{ first_name }}", "<p>Dear <b>{{ first_name }}</b></p>", MissingFieldRule.EMPTY
)


def mails(sending: SendingStage) -> list[EmailMessage]:
    return [parsed(raw) for raw in sources(sending)]


def sources(sending: SendingStage) -> list[bytes]:
    stored, _ = sending.sandbox.inbox.listed(Filter(tenant_id=str(sending.owner.tenant_id)), first=1000)
    found = [sending.sandbox.inbox.source(each) for each in stored]
    return [raw for raw in found if raw is not None]


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def _is_signed(raw: bytes, record: bytes) -> bool:
    return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: record))  # type: ignore[no-untyped-call]


def link_of(mail: EmailMessage) -> str:
    return str(mail["List-Unsubscribe"]).strip("<>")


async def test_every_mail_carries_its_identity_and_both_opt_out_headers(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(2), [mailbox], BOTH)
    await sending.work()

    rows = (await messages(sending.owner, campaign.id, state=None, first=10, after=None)).items
    by_id = {str(row.message_id_header): row for row in rows}
    for mail, attempt in zip(mails(sending), sending.attempts(), strict=True):
        row = by_id[mail["Message-ID"]]
        identity = parse_message_id(mail["Message-ID"])
        assert identity is not None
        assert (identity.tenant_id, identity.message_id) == (sending.owner.tenant_id, row.id)
        key = return_path_key(sending.owner.resources)
        assert parse_return_path(attempt.sender, tenant_id=sending.owner.tenant_id, key=key) == row.id
        assert str(mail["From"]) == "Alice Example <alice@acme.example>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        for kind in ("plain", "html"):
            body = mail.get_body((kind,))
            assert body is not None
            assert "1 Ice Road" in body.get_content()
            assert link_of(mail) in body.get_content()


async def test_what_was_sent_is_made_again_byte_for_byte(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(1), [mailbox], BOTH)
    await sending.work()
    row = (await messages(sending.owner, campaign.id, state=None, first=1, after=None)).items[0]

    again = await rendered_again(sending.owner, row.id)

    assert again is not None
    assert again.matches_sent
    assert again.mail.subject == "For Name0"
    await sending.execute(
        "UPDATE messages SET merge_values = jsonb_set(merge_values, '{from_name}', '\"Mallory\"') "
        "WHERE tenant_id = $1 AND id = $2",
        row.id,
    )
    other = await rendered_again(sending.owner, row.id)
    assert other is not None
    assert not other.matches_sent


async def test_mails_are_signed_by_the_domains_active_key_and_by_none_before(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    pending = await generate_dkim_key(sending.owner, sending.stage.workspace_id, "ACME.example")
    await sending.launched(["before@lead.example"], [mailbox])
    await sending.work()
    active = await activate_dkim_key(sending.owner, pending.id)
    await sending.launched(["signed@lead.example"], [mailbox])
    await sending.work()
    await retire_dkim_key(sending.owner, active.id)
    await sending.launched(["after@lead.example"], [mailbox])
    await sending.work()

    record = active.public_record.encode()
    verdicts = {}
    for raw in sources(sending):
        mail = parsed(raw)
        signed = mail["DKIM-Signature"]
        verdicts[str(mail["To"])] = signed is not None and _is_signed(raw, record)
    assert verdicts == {"before@lead.example": False, "signed@lead.example": True, "after@lead.example": False}
    signature = parsed(sources(sending)[1])["DKIM-Signature"]
    assert "d=acme.example" in signature
    assert f"s={active.selector}" in signature
    assert "list-unsubscribe-post" in signature.replace(" ", "").lower()
    rows = await sending.stage.rows("SELECT private_key FROM dkim_keys WHERE tenant_id = $1")
    assert [row["private_key"] for row in rows] == [None]


HOSTILE = [
    "Eve\r\nBcc: victim@example.com",
    "Eve\nBcc: victim@example.com",
    "=?utf-8?q?a=0d=0aBcc:_victim=40example.com?=",
    "Eve\u2028Bcc: victim@example.com",
    "Eve\x00\x0bBcc: x@example.com",
    "Eve\r\n\r\n<script>",
    "Eve\r\n.\r\nMAIL FROM:<x@example.com>",
]


@pytest.mark.parametrize("value", HOSTILE)
async def test_no_merge_field_reaches_the_header_or_ends_the_mail(sending: SendingStage, value: str) -> None:
    """Written past the checks of import, as an old row would be: each mail goes out whole, or not at all."""
    mailbox = await sending.mailbox()
    source = TemplateSource(
        "Hi {{ first_name }} {{ last_name }} {{ company }} {{ note }}",
        "{{ first_name }} {{ last_name }} {{ company }} {{ note }}",
        "<p>{{ first_name }} {{ last_name }} {{ company }} {{ note }}</p>",
        MissingFieldRule.EMPTY,
    )
    campaign = await sending.launched(people(4), [mailbox], source)
    storable = value.replace("\x00", "")
    for number, field in enumerate(("first_name", "last_name", "company")):
        await sending.execute(
            f"UPDATE contacts SET {field} = $3 WHERE tenant_id = $1 AND email = $2", people(4)[number], storable
        )
    await sending.execute(
        "UPDATE contacts SET fields = jsonb_build_object('note', $3::text) WHERE tenant_id = $1 AND email = $2",
        people(4)[3],
        storable,
    )

    await sending.work()

    counts = await sending.counts(campaign)
    assert counts.get("sent", 0) + counts.get("failed", 0) == 4
    for raw in sources(sending):
        head = raw.partition(b"\r\n\r\n")[0].lower()
        names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
        assert b"bcc" not in names
        assert len(names) == len(set(names))
        mail = parsed(raw)
        assert mail["Bcc"] is None
        assert str(mail["To"]) in people(4)
    assert len(sending.attempts()) == counts.get("sent", 0)


async def test_the_unsubscribe_link_changes_nothing_by_get_and_opts_out_by_one_post(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(2), [mailbox])
    await sending.work()
    mail = mails(sending)[0]
    address, path = str(mail["To"]), link_of(mail).removeprefix("http://127.0.0.1:8000")

    async with _client(sending) as client:
        for _ in range(5):
            shown = await client.get(path)
            assert (shown.status_code, "<button>" in shown.text) == (200, True)
            assert (await client.head(path)).status_code == 200
        assert await sending.suppressed() == {}
        for _ in range(2):
            done = await client.post(path, data={"List-Unsubscribe": "One-Click"})
            assert (done.status_code, done.history) == (200, [])
            assert address in done.text

    assert await sending.suppressed() == {address: "unsubscribed"}
    again = await sending.launched(people(2), [mailbox])
    await sending.work()
    assert sending.received()[address] == 1
    assert await sending.counts(again) == {"sent": 1, "suppressed": 1}
    assert await sending.counts(campaign) == {"sent": 2}


async def test_forged_cut_and_moved_links_are_unknown(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    await sending.launched(people(1), [mailbox])
    await sending.work()
    path = link_of(mails(sending)[0]).removeprefix("http://127.0.0.1:8000")
    tokens = unsubscribe_tokens(sending.owner.resources)
    read = tokens.read(path.removeprefix("/u/"))
    assert read is not None
    moved = tokens.make(UnsubscribeToken(new_id(), read.contact_id, read.message_id))
    swapped = tokens.make(UnsubscribeToken(read.tenant_id, new_id(), read.message_id))
    middle = len(path) // 2
    changed = path[:middle] + ("A" if path[middle] != "A" else "B") + path[middle + 1 :]

    async with _client(sending) as client:
        for bad in (changed, path[:-1], path + "A", f"/u/{moved}", f"/u/{swapped}", "/u/x", "/u/" + "A" * 200, "/u/é"):
            assert (await client.get(bad)).status_code == 404, bad
            assert (await client.post(bad)).status_code == 404, bad

    assert await sending.suppressed() == {}


async def test_a_link_works_after_its_contact_is_erased(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    await sending.launched(people(1), [mailbox])
    await sending.work()
    path = link_of(mails(sending)[0]).removeprefix("http://127.0.0.1:8000")
    contact = (await sending.stage.rows("SELECT id FROM contacts WHERE tenant_id = $1"))[0]["id"]
    await delete_contact(sending.owner, contact)

    async with _client(sending) as client:
        assert (await client.post(path)).status_code == 200

    assert await sending.suppressed() == {people(1)[0]: "unsubscribed"}


def _client(sending: SendingStage) -> httpx.AsyncClient:
    app = Starlette(routes=unsubscribe_routes(sending.owner.resources))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8000")
