"""Contacts, templates, mailboxes and campaigns to measure with, made by the use cases that the API calls."""

from collections.abc import Sequence
from uuid import UUID

from app.core.ids import new_id
from app.identity.tenant_settings import SettingsChange, update_tenant_settings
from app.outreach.campaigns import Campaign, CampaignDraft, VariantChoice, create_campaign
from app.outreach.mailboxes import Mailbox, MailboxSettings, SmtpLogin, connect_mailbox
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource
from app.outreach.templates import create_template
from db.core.transaction import current
from tests.bench.seeding import Seeded

BATCH = 20_000
DAILY_CAP = 100_000
TEXT = TemplateSource(
    "{{ first_name }}, a word about {{ company }}",
    "Dear {{ first_name }},\n\nhow do you do at {{ company | default: 'work' }}?\n"
    + "A line of ordinary length.\n" * 20,
    None,
    MissingFieldRule.EMPTY,
)


async def set_postal_address(seeded: Seeded) -> None:
    """No campaign is launched without."""
    await update_tenant_settings(seeded.caller, SettingsChange(postal_address="1 Ice Shelf Road, Antarctica"))


async def contact_list(seeded: Seeded, count: int) -> UUID:
    """A list of new contacts. Written at once: what an import costs is measured elsewhere."""
    list_id, now, tenant = new_id(), seeded.caller.now(), seeded.caller.tenant_id
    async with seeded.caller.transaction():
        await current().execute(
            "INSERT INTO contact_lists VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
            tenant,
            list_id,
            seeded.workspace_id,
            f"List {list_id}",
            count,
            now,
        )
    for start in range(0, count, BATCH):
        numbers = list(range(start, min(start + BATCH, count)))
        ids = [new_id() for _ in numbers]
        async with seeded.caller.transaction():
            await current().execute(
                "INSERT INTO contacts SELECT $1, n.id, $2, n.key, n.key, 'Ada', 'Lovelace', 'Company', '{}', 'active', "
                "NULL, 1, $3, $3 FROM (SELECT id, 'c' || number || '.' || $6 || '@lead' || number % 997 || '.example' AS key "
                "FROM unnest($4::uuid[], $5::int[]) AS u (id, number)) n",
                tenant,
                seeded.workspace_id,
                now,
                ids,
                numbers,
                list_id.hex,
            )
            await current().execute(
                "INSERT INTO contact_list_members SELECT $1, $2, unnest($3::uuid[]), $4", tenant, list_id, ids, now
            )
    return list_id


async def mailboxes(seeded: Seeded, count: int, server: SmtpLogin) -> list[Mailbox]:
    """Connected, without a gap; the worker tests them."""
    return [
        await connect_mailbox(
            seeded.caller,
            seeded.workspace_id,
            MailboxSettings(
                address=f"sender{number}@{new_id().hex}.example",
                display_name="Sender",
                smtp=server,
                password="bench",
                daily_cap=DAILY_CAP,
                minimum_gap_seconds=0,
            ),
        )
        for number in range(count)
    ]


async def draft(seeded: Seeded, list_id: UUID, senders: Sequence[Mailbox]) -> Campaign:
    made = await create_template(seeded.caller, seeded.workspace_id, f"Template {new_id()}", TEXT)
    wanted = CampaignDraft(
        name="Bench",
        list_id=list_id,
        mailbox_ids=[each.id for each in senders],
        variants=[VariantChoice(made.template.id)],
    )
    return await create_campaign(seeded.caller, seeded.workspace_id, wanted)
