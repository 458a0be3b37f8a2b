"""Fills a world's lists: fifty more of everything that a list shows, copied row by row inside the database."""

from dataclasses import replace
from uuid import UUID

from app.outreach.ports import SandboxInbox
from db.core.transaction import current, tenant_transaction
from tests.house.world import FakeSandbox, World

MORE = 50
_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
RANDOM = "gen_random_uuid()"


async def copies(table: str, row_id: UUID, **changed: str) -> list[UUID]:
    """Copies of a row, each with an id of its own; `changed` gives expressions by column, in which `n` is 1, 2, ..."""
    names = [row["attname"] for row in await current().fetch(_COLUMNS, table)]
    made = {"id": RANDOM, **changed}
    picked = ", ".join(made.get(name, f"t.{name}") for name in names)
    rows = await current().fetch(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {picked} FROM {table} t CROSS JOIN generate_series(1, {MORE}) n "
        "WHERE t.tenant_id = $1 AND t.id = $2 RETURNING id",
        current().tenant_id,
        row_id,
    )
    return [row["id"] for row in rows]


async def parts(table: str, owner: str, owner_id: UUID, owners: list[UUID], **changed: str) -> None:
    """For each of `owners` copies of the rows that `owner_id` has in this table; `owner` is the column that names it."""
    names = [row["attname"] for row in await current().fetch(_COLUMNS, table)]
    made = {owner: "o.id", **({"id": RANDOM} if "id" in names else {}), **changed}
    picked = ", ".join(made.get(name, f"t.{name}") for name in names)
    await current().execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {picked} FROM {table} t CROSS JOIN unnest($3::uuid[]) o (id) "
        f"WHERE t.tenant_id = $1 AND t.{owner} = $2",
        current().tenant_id,
        owner_id,
        owners,
    )


async def crowd(world: World) -> None:
    """Every list of the public schema has more than fifty items afterwards, each with parts like the first one's."""
    made = {name: next(iter(rows.values())) for name, rows in world.made.items()}
    async with tenant_transaction(world.tenant_id):
        await _people(world, made)
        await _contacts(world, made)
        await _sending(world, made)
    inbox = world.owner.resources.port(SandboxInbox)
    if isinstance(inbox, FakeSandbox):
        (mail,) = inbox.mails[world.tenant_id]
        inbox.mails[world.tenant_id] = [replace(mail, position=number) for number in range(1, MORE + 2)]


async def _people(world: World, made: dict[str, UUID]) -> None:
    await copies("workspaces", made["Workspace"], name="t.name || n", slug="t.slug || n")
    members = await copies("memberships", made["Member"], user_id=RANDOM)
    await parts("workspace_memberships", "membership_id", made["Member"], members)
    await copies("invitations", made["Invitation"], email_key="t.email_key || n")
    await copies("sessions", world.made["Session"]["owner"])
    await copies("jobs", made["Job"])
    await copies("suppressions", made["Suppression"], email_key="t.email_key || n")


async def _contacts(world: World, made: dict[str, UUID]) -> None:
    await copies("contacts", made["Contact"], email_key="t.email_key || n", email="t.email || n")
    lists = await copies("contact_lists", made["ContactList"], name="t.name || n")
    await parts("contact_list_members", "list_id", made["ContactList"], lists)
    ended = world.made["ContactImport"]["completed"]
    imports = await copies("contact_imports", ended)
    await parts("contact_import_errors", "import_id", ended, imports)
    await copies("templates", made["Template"], name="t.name || n")


async def _sending(world: World, made: dict[str, UUID]) -> None:
    boxes = await copies("mailboxes", made["Mailbox"], address="n || t.address", address_key="n || t.address_key")
    await parts("mailbox_runs", "mailbox_id", made["Mailbox"], boxes)
    await copies("dkim_keys", made["DkimKey"], selector="t.selector || n")
    draft, running = world.made["Campaign"]["draft"], world.made["Campaign"]["running"]
    drafts = await copies("campaigns", draft)
    await parts("sequence_steps", "campaign_id", draft, drafts)
    await parts("campaign_mailboxes", "campaign_id", draft, drafts)
    await parts("campaign_counts", "campaign_id", draft, drafts, lane="o.id")
    await current().execute(
        "INSERT INTO enrollments (tenant_id, id, campaign_id, contact_id, state, next_position, created_at) "
        "SELECT c.tenant_id, gen_random_uuid(), $2, c.id, 'completed', 1, c.created_at FROM contacts c WHERE c.tenant_id = $1 "
        "AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.tenant_id = $1 AND e.campaign_id = $2 AND e.contact_id = c.id)",
        world.tenant_id,
        running,
    )
    sent = world.made["Message"]["in_doubt"]
    messages = await copies("messages", sent, contact_id=RANDOM)
    await parts("message_attempts", "message_id", sent, messages)
