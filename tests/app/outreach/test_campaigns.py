"""Campaigns: launched only when nothing is missing, planned in rotation, and nobody else's."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.core.errors import DomainError, Forbidden, NotFound, Problems, WrongState
from app.core.ids import NIL, new_id
from app.core.permissions import WorkspaceRole
from app.core.resources import Resources
from app.outreach import campaign_views, campaigns, dkim_keys, mailboxes, messages, suppressions
from app.outreach.campaign_launch import launch_campaign
from app.outreach.campaigns import CampaignDraft, VariantChoice, create_campaign
from app.outreach.contact_lists import delete_contact_list
from app.outreach.contacts import delete_contact
from app.outreach.mailboxes import MailboxChanges, mailbox_by_id, next_mail_of, pause_mailbox, update_mailbox
from app.outreach.rules.message_states import InDoubtOutcome
from app.outreach.suppressions import suppress_contact, unsuppress_contact
from app.outreach.templates import create_template, delete_template
from tests.app.outreach.contact_stage import new_stage
from tests.app.outreach.sending_stage import TEXT, SendingStage, people


async def test_a_launch_without_anything_names_all_that_is_missing(sending: SendingStage) -> None:
    await sending.execute("UPDATE tenant_settings SET postal_address = ' ' WHERE tenant_id = $1")
    empty = await create_campaign(sending.owner, sending.stage.workspace_id, CampaignDraft(name="Empty"))

    with pytest.raises(Problems) as refused:
        await launch_campaign(sending.owner, empty.id)

    words = [part.message.split(":")[0].split(" the ")[0] for part in refused.value.parts()]
    assert words == [
        "Give your postal address in",
        "Choose",
        "Choose at least one template.",
        "Choose at least one mailbox that sends.",
    ]
    assert {part.code for part in refused.value.parts()} == {"REQUIRED"}
    assert await sending.state(empty) == "draft"
    assert await sending.stage.rows("SELECT kind FROM jobs WHERE tenant_id = $1 AND kind LIKE 'campaign%'") == []


async def test_a_launch_wants_a_verified_mailbox_that_is_not_paused_and_a_template_that_stands(
    sending: SendingStage,
) -> None:
    mailbox = await sending.mailbox(username="alice+refuse-auth@acme.example")
    good = await sending.mailbox("good@acme.example")
    draft = await sending.draft(people(1), [mailbox])
    template = await create_template(sending.owner, sending.stage.workspace_id, "Gone", TEXT)
    await campaigns.update_campaign(
        sending.owner, draft.id, CampaignDraft(variants=[VariantChoice(template.template.id)])
    )
    await delete_template(sending.owner, template.template.id)

    with pytest.raises(Problems) as refused:
        await launch_campaign(sending.owner, draft.id)
    assert [part.message for part in refused.value.parts()] == [
        "A chosen template has been deleted: choose another one.",
        "None of the campaign's mailboxes is verified: test them, and read each one's verdict.",
    ]

    await pause_mailbox(sending.owner, good.id)
    paused = await sending.draft(people(1), [mailbox, good])
    with pytest.raises(Problems) as refused:
        await launch_campaign(sending.owner, paused.id)
    assert [part.message for part in refused.value.parts()] == [
        "Every verified mailbox of the campaign is paused: resume one."
    ]


async def test_mails_are_shared_out_evenly_and_each_contact_keeps_its_variant(sending: SendingStage) -> None:
    boxes = [await sending.mailbox(f"m{number}@acme.example") for number in range(3)]
    campaign = await sending.draft(people(300), boxes)
    others = [
        (await create_template(sending.owner, sending.stage.workspace_id, name, replace(TEXT, subject=name))).template
        for name in ("A", "B")
    ]
    variants = [VariantChoice(others[0].id, 3), VariantChoice(others[1].id, 1)]
    await campaigns.update_campaign(sending.owner, campaign.id, CampaignDraft(variants=variants))
    await launch_campaign(sending.owner, campaign.id)

    await sending.work()

    assert Counter(attempt.user for attempt in sending.attempts()) == {f"m{n}@acme.example": 100 for n in range(3)}
    subjects = Counter(attempt.subject for attempt in sending.attempts())
    assert set(subjects) == {"A", "B"}
    assert 190 <= subjects["A"] <= 260


async def test_suppressed_and_unsubscribed_contacts_are_enrolled_as_suppressed(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    await suppress_contact(sending.owner, email="LEAD1@lead1.example", note="asked by phone")
    campaign = await sending.launched(people(5), [mailbox])

    await sending.work()

    assert await sending.counts(campaign) == {"sent": 4, "suppressed": 1}
    assert people(2)[1] not in sending.received()
    view = await campaign_views.campaign_view(sending.owner, campaign.id)
    assert (view.counts.enrolled, view.campaign.state) == (5, "completed")


async def test_a_contact_that_was_unsuppressed_is_written_to_again(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    first = await sending.launched(["gone+unknown-user@lead.example"], [mailbox])
    await sending.work()
    assert await sending.counts(first) == {"bounced": 1}
    page = await suppressions.suppressions(sending.owner, email="gone+unknown-user@LEAD.example", first=5, after=None)
    assert [(row.reason, row.source) for row in page.items] == [("bounced", "smtp")]

    await unsuppress_contact(sending.owner, page.items[0].id, note="The address exists again.")
    second = await sending.launched(["gone+unknown-user@lead.example"], [mailbox])
    await sending.work()

    assert await sending.counts(second) == {"bounced": 1}


async def test_contacts_erased_before_their_turn_count_as_cancelled_and_the_campaign_completes(
    sending: SendingStage,
) -> None:
    mailbox = await sending.mailbox(daily_cap=3)
    campaign = await sending.launched(people(6), [mailbox])
    await sending.work()
    waiting = await sending.stage.rows("SELECT contact_id FROM enrollments WHERE tenant_id = $1 AND due_at IS NOT NULL")
    assert len(waiting) == 3
    for row in waiting:
        await delete_contact(sending.owner, row["contact_id"])

    await sending.work(until=sending.later(days=2))

    assert await sending.counts(campaign) == {"sent": 3, "cancelled": 3}
    assert await sending.state(campaign) == "completed"


async def test_a_mailbox_at_its_cap_says_that_its_next_mail_leaves_when_the_tenants_next_day_begins(
    sending: SendingStage,
) -> None:
    mailbox = await sending.mailbox(daily_cap=2)
    await sending.launched(people(3), [mailbox])
    await sending.work()

    seen = await mailbox_by_id(sending.owner, mailbox.id)

    zone = ZoneInfo(seen.time_zone)
    assert seen.sent_on is not None
    midnight = datetime.combine(seen.sent_on + timedelta(days=1), time.min, tzinfo=zone)
    assert (seen.sent_today, next_mail_of(seen)) == (2, midnight)
    raised = await update_mailbox(sending.owner, mailbox.id, MailboxChanges(daily_cap=5))
    assert next_mail_of(raised) == seen.next_send_at


async def test_a_contact_erased_while_its_mail_waits_is_not_written_to(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(3), [mailbox])
    await sending.work(only=["campaign.enroll", "campaign.plan"])
    row = (await sending.stage.rows("SELECT contact_id, to_address FROM messages WHERE tenant_id = $1 LIMIT 1"))[0]
    await delete_contact(sending.owner, row["contact_id"])

    await sending.work()

    assert await sending.counts(campaign) == {"sent": 2, "cancelled": 1}
    assert row["to_address"] not in sending.received()


async def test_a_list_is_not_deleted_under_a_campaign_that_enrols_it(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(people(3), [mailbox])
    assert campaign.list_id is not None
    before = await sending.snapshot()

    with pytest.raises(WrongState, match="“Spring” is still enrolling this list"):
        await delete_contact_list(sending.owner, campaign.list_id)

    assert await sending.snapshot() == before
    await sending.work(only=["campaign.enroll"])
    await delete_contact_list(sending.owner, campaign.list_id)
    await sending.work()
    assert await sending.counts(campaign) == {"sent": 3}


async def test_what_a_state_does_not_allow_is_refused_and_changes_nothing(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.draft(people(1), [mailbox])
    for refused in (campaigns.pause_campaign, campaigns.resume_campaign):
        with pytest.raises(WrongState):
            await refused(sending.owner, campaign.id)
    await launch_campaign(sending.owner, campaign.id)
    with pytest.raises(WrongState):
        await launch_campaign(sending.owner, campaign.id)
    with pytest.raises(WrongState):
        await campaigns.update_campaign(sending.owner, campaign.id, CampaignDraft(mailbox_ids=[]))
    with pytest.raises(WrongState):
        await campaigns.archive_campaign(sending.owner, campaign.id)
    renamed = await campaigns.update_campaign(sending.owner, campaign.id, CampaignDraft(name="Other"))
    assert renamed.name == "Other"

    await sending.work()
    archived = await campaigns.archive_campaign(sending.owner, campaign.id)
    again = await campaigns.archive_campaign(sending.owner, campaign.id)

    assert archived.archived_at == again.archived_at
    listed = await campaign_views.campaigns(
        sending.owner, sending.stage.workspace_id, archived=False, first=10, after=None
    )
    assert listed.items == []


async def test_another_tenants_ids_are_as_unknown_as_ids_that_never_were(
    sending: SendingStage, resources: Resources
) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.launched(["x+drop-after-data@lead.example"], [mailbox])
    await sending.work()
    message = (await messages.messages(sending.owner, campaign.id, state=None, first=1, after=None)).items[0]
    key = await dkim_keys.generate_dkim_key(sending.owner, sending.stage.workspace_id, "acme.example")
    suppression = await suppress_contact(sending.owner, email="x@lead.example")
    stranger = (await new_stage(sending.owner.resources)).owner
    before = await sending.snapshot()

    for campaign_id in (campaign.id, new_id(), NIL):
        for act in (
            launch_campaign,
            campaigns.pause_campaign,
            campaigns.resume_campaign,
            campaigns.cancel_campaign,
            campaigns.archive_campaign,
        ):
            with pytest.raises(NotFound, match="There is no such campaign"):
                await act(stranger, campaign_id)
        with pytest.raises(NotFound):
            await campaigns.update_campaign(stranger, campaign_id, CampaignDraft(name="Mine"))
        assert (await messages.messages(stranger, campaign_id, state=None, first=5, after=None)).items == []
        assert (await campaign_views.enrollments(stranger, campaign_id, first=5, after=None)).items == []
    for mailbox_id in (mailbox.id, new_id()):
        for touch in (
            mailboxes.test_mailbox,
            mailboxes.pause_mailbox,
            mailboxes.resume_mailbox,
            mailboxes.disconnect_mailbox,
            mailboxes.mailbox_by_id,
        ):
            with pytest.raises(NotFound, match="There is no such mailbox"):
                await touch(stranger, mailbox_id)
        with pytest.raises(NotFound):
            await mailboxes.update_mailbox(stranger, mailbox_id, MailboxChanges(display_name="Mine"))
    for change in (
        messages.resolve_in_doubt_message(stranger, message.id, InDoubtOutcome.SENT),
        messages.rendered_again(stranger, message.id),
        dkim_keys.activate_dkim_key(stranger, key.id),
        dkim_keys.retire_dkim_key(stranger, key.id),
        unsuppress_contact(stranger, suppression.id, note="mine"),
        suppress_contact(stranger, contact_id=message.contact_id),
        dkim_keys.generate_dkim_key(stranger, sending.stage.workspace_id, "acme.example"),
        create_campaign(stranger, sending.stage.workspace_id, CampaignDraft(name="Mine")),
        mailboxes.connect_mailbox(stranger, sending.stage.workspace_id, sending.settings("mine@acme.example")),
    ):
        with pytest.raises(NotFound):
            await change
    assert await messages.attempts_by_messages(stranger, [message.id]) == [[]]
    assert await messages.messages_by_ids(stranger, [message.id]) == [None]
    assert await campaign_views.campaigns_by_ids(stranger, [campaign.id]) == [None]
    assert await sending.snapshot() == before


@pytest.mark.parametrize("part", ["list_id", "mailbox_ids", "variants"])
async def test_a_campaign_takes_no_parts_of_another_workspace(sending: SendingStage, part: str) -> None:
    other = await new_stage(sending.owner.resources)
    foreign = SendingStage(other, sending.sandbox, sending.clock, sending.handlers)
    mailbox = await foreign.mailbox("theirs@acme.example")
    theirs = await foreign.draft(people(1), [mailbox])
    view = await campaign_views.campaign_view(other.owner, theirs.id)
    given = {
        "list_id": theirs.list_id,
        "mailbox_ids": [mailbox.id],
        "variants": [VariantChoice(view.variants[0].template_id)],
    }

    with pytest.raises(NotFound):
        draft = CampaignDraft(name="Mine", **{part: given[part]})  # type: ignore[arg-type]
        await create_campaign(sending.owner, sending.stage.workspace_id, draft)

    assert await sending.stage.count("campaigns") == 0


async def test_a_viewer_sees_and_does_nothing_and_another_workspace_sees_nothing(sending: SendingStage) -> None:
    mailbox = await sending.mailbox()
    campaign = await sending.draft(people(1), [mailbox])
    viewer = sending.stage.member(WorkspaceRole.VIEWER)
    outsider = sending.stage.member(WorkspaceRole.ADMIN, workspace_id=new_id())

    assert (await campaign_views.campaign_view(viewer, campaign.id)).id == campaign.id
    with pytest.raises(Forbidden):
        await launch_campaign(viewer, campaign.id)
    with pytest.raises(Forbidden):
        await mailboxes.pause_mailbox(viewer, mailbox.id)
    with pytest.raises(NotFound):
        await campaign_views.campaign_view(outsider, campaign.id)
    with pytest.raises(NotFound):
        await launch_campaign(outsider, campaign.id)


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (CampaignDraft(name="  "), "REQUIRED"),
        (CampaignDraft(name="x" * 121), "TOO_LONG"),
        (CampaignDraft(name="x", variants=[VariantChoice(NIL, 0)]), "INVALID"),
        (CampaignDraft(name="x", variants=[VariantChoice(NIL)] * 21), "LIMIT_REACHED"),
        (CampaignDraft(name="x", mailbox_ids=[NIL] * 201), "LIMIT_REACHED"),
    ],
)
async def test_wrong_drafts_are_refused(sending: SendingStage, draft: CampaignDraft, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        await create_campaign(sending.owner, sending.stage.workspace_id, draft)

    assert refused.value.code == code
    assert await sending.stage.count("campaigns") == 0
