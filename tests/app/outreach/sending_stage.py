"""A tenant that sends: its mailboxes on a real sandbox, a list of contacts, a template, and its jobs done in order."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import actors
from actors.core.handler import Handlers, gather_handlers
from app.core.caller import Caller, job_caller
from app.core.clock import FixedClock
from app.core.ids import new_id
from app.core.resources import Resources
from app.jobs.job import from_payload
from app.outreach.campaign_launch import launch_campaign
from app.outreach.campaigns import Campaign, CampaignDraft, VariantChoice, create_campaign
from app.outreach.mailboxes import Mailbox, MailboxSettings, SmtpLogin, connect_mailbox, mailbox_by_id
from app.outreach.ports import ConnectionVerdict, MailSession, MailSubmitter, SmtpSecurity, SmtpServer, SubmitOutcome
from app.outreach.rules.mailbox_states import MailboxState
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource
from app.outreach.templates import create_template
from app.providers.egress import EgressGuard
from app.providers.smtp.session import SmtpTimeouts
from app.providers.smtp.submitter import SmtpSubmitter
from app.sandbox.behaviours import GREYLIST_SECONDS
from app.sandbox.inbox import Attempt, Filter
from app.sandbox.main import Sandbox
from db.core.transaction import current
from tests.app.outreach.contact_stage import Stage, new_stage

TEXT = TemplateSource(
    "Hello {{ first_name }}",
    "Dear {{ first_name }},\nhow is {{ company | default: 'work' }}?",
    None,
    MissingFieldRule.EMPTY,
)
QUICK = SmtpTimeouts(connect=3, greeting=2, command=2, final_dot=3)


def people(count: int) -> list[str]:
    """Addresses at seven providers."""
    return [f"lead{number}@lead{number % 7}.example" for number in range(count)]


class MovingClock(FixedClock):
    """Stands until it is moved, and moves when somebody sleeps on it."""

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)


@dataclass
class SendingStage:
    """`clock` is the tenant's only clock; jobs run by `work()`, one after another, as a worker would."""

    stage: Stage
    sandbox: Sandbox
    clock: MovingClock
    handlers: Handlers
    names: dict[UUID, str] = field(default_factory=dict)

    @property
    def owner(self) -> Caller:
        return self.stage.owner

    async def mailbox(self, address: str = "alice@acme.example", **settings: Any) -> Mailbox:
        """Connected and tested."""
        mailbox = await connect_mailbox(self.owner, self.stage.workspace_id, self.settings(address, **settings))
        await self.work()
        return mailbox

    async def connected(self, address: str) -> Mailbox:
        """By a worker elsewhere: waits for its verdict."""
        mailbox = await connect_mailbox(self.owner, self.stage.workspace_id, self.settings(address))
        for _ in range(600):
            mailbox = await mailbox_by_id(self.owner, mailbox.id)
            if mailbox.state == MailboxState.VERIFIED:
                return mailbox
            await asyncio.sleep(0.05)
        raise AssertionError(f"{address} was not verified: {mailbox.verdict_sentence}")

    def settings(self, address: str, **changed: Any) -> MailboxSettings:
        login = SmtpLogin(
            changed.pop("host", "127.0.0.1"),
            changed.pop("port", self.sandbox.ports.smtp),
            changed.pop("security", SmtpSecurity.STARTTLS),
            changed.pop("username", address),
        )
        defaults: dict[str, Any] = {
            "display_name": "Alice Example",
            "password": "a password",
            "daily_cap": 10_000,
            "minimum_gap_seconds": 0,
        }
        return MailboxSettings(address=address, smtp=login, **(defaults | changed))

    async def list_of(self, emails: Sequence[str]) -> UUID:
        """A list with a contact for each address; written at once, since a test's subject is another."""
        list_id, now, tenant, place = new_id(), self.clock.now(), self.owner.tenant_id, self.stage.workspace_id
        rows = [(new_id(), email, email.lower(), f"Name{number}") for number, email in enumerate(emails)]
        async with self.owner.transaction():
            await current().execute(
                "INSERT INTO contact_lists VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
                *(tenant, list_id, place, f"List {list_id}", len(rows), now),
            )
            await current().execute(
                "INSERT INTO contacts SELECT $1, n.id, $2, n.email, n.key, n.name, '', '', '{}', 'active', NULL, 1, $3, $3 "
                "FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) AS n (id, email, key, name) "
                "ON CONFLICT (tenant_id, workspace_id, email_key) DO NOTHING",
                *(tenant, place, now),
                *(list(column) for column in zip(*rows, strict=True)),
            )
            await current().execute(
                "INSERT INTO contact_list_members SELECT $1, $2, id, $3 FROM contacts "
                "WHERE tenant_id = $1 AND email_key = ANY ($4::text[])",
                *(tenant, list_id, now, [row[2] for row in rows]),
            )
        return list_id

    async def draft(
        self, emails: Sequence[str], mailboxes: Sequence[Mailbox], source: TemplateSource = TEXT, name: str = "Spring"
    ) -> Campaign:
        list_id = await self.list_of(emails)
        made = await create_template(self.owner, self.stage.workspace_id, f"Template {new_id()}", source)
        draft = CampaignDraft(
            name=name,
            list_id=list_id,
            mailbox_ids=[mailbox.id for mailbox in mailboxes],
            variants=[VariantChoice(made.template.id)],
        )
        return await create_campaign(self.owner, self.stage.workspace_id, draft)

    async def launched(
        self, emails: Sequence[str], mailboxes: Sequence[Mailbox], source: TemplateSource = TEXT
    ) -> Campaign:
        """Enrolled and planned as soon as its jobs are done."""
        return await launch_campaign(self.owner, (await self.draft(emails, mailboxes, source)).id)

    async def work(self, *, until: datetime | None = None, only: Sequence[str] = (), most: int = 1_000) -> int:
        """Does waiting jobs by due time, up to now, or up to `until`, moving the clock to each. How many it did.

        The rollup, which waits for a relay, only when it is named.
        """
        for number in range(most):
            job = await self._next_job(until or self.clock.now(), only)
            if job is None:
                return number
            if job["due_at"] > self.clock.now():
                self.clock.move((job["due_at"] - self.clock.now()).total_seconds())
            handled = self.handlers.of(job["kind"])
            caller = job_caller(self.owner.resources, self.owner.tenant_id, "test")
            await handled.run(caller, from_payload(handled.kind, job["payload"]))
        raise AssertionError(f"{most} jobs were not enough")

    async def _next_job(self, until: datetime, only: Sequence[str]) -> dict[str, Any] | None:
        async with self.owner.transaction():
            row = await current().fetchrow(
                "DELETE FROM jobs WHERE tenant_id = $1 AND id = (SELECT id FROM jobs WHERE tenant_id = $1 "
                "AND due_at <= $2 AND (kind = ANY ($3::text[]) OR $3::text[] = '{}' AND kind <> 'rollup.sending') "
                "ORDER BY due_at, priority, id LIMIT 1) RETURNING kind, payload, due_at",
                self.owner.tenant_id,
                until,
                list(only),
            )
        return None if row is None else dict(row)

    async def states(self, campaign: Campaign) -> dict[str, int]:
        """Of its messages, counted in the ledger itself."""
        rows = await self.stage.rows(
            "SELECT state, count(*)::int AS n FROM messages WHERE tenant_id = $1 AND campaign_id = $2 GROUP BY state",
            campaign.id,
        )
        return {row["state"]: row["n"] for row in rows}

    async def counts(self, campaign: Campaign) -> dict[str, int]:
        """As the counters say, without zeros."""
        rows = await self.stage.rows(
            "SELECT sum(waiting)::int AS waiting, sum(queued)::int AS queued, sum(deferred)::int AS deferred, "
            "sum(sent)::int AS sent, sum(bounced)::int AS bounced, sum(failed)::int AS failed, "
            "sum(in_doubt)::int AS in_doubt, sum(cancelled)::int AS cancelled, sum(suppressed)::int AS suppressed "
            "FROM campaign_counts WHERE tenant_id = $1 AND campaign_id = $2",
            campaign.id,
        )
        return {name: value for name, value in rows[0].items() if value}

    async def state(self, campaign: Campaign) -> str:
        rows = await self.stage.rows("SELECT state FROM campaigns WHERE tenant_id = $1 AND id = $2", campaign.id)
        return str(rows[0]["state"])

    async def outcomes(self, campaign: Campaign) -> dict[str, tuple[str, str | None, int | None]]:
        """By recipient: state, the codes of the reply, and the seconds from the try to the next, without jitter."""
        rows = await self.stage.rows(
            "SELECT to_address, state, reply, due_at, submitted_at FROM messages WHERE tenant_id = $1 AND campaign_id = $2",
            campaign.id,
        )
        found: dict[str, tuple[str, str | None, int | None]] = {}
        for row in rows:
            reply = row["reply"] and re.match(r"\d{3}( [45]\.\d+\.\d+)?", row["reply"])
            wait = None if row["due_at"] is None else (row["due_at"] - row["submitted_at"]).total_seconds()
            in_steps = None if wait is None else int(wait // 300 * 300)
            found[row["to_address"]] = (row["state"], reply and reply.group(), in_steps)
        return found

    async def story(self, campaign: Campaign) -> list[dict[str, Any]]:
        """The tries of all its messages, oldest first."""
        return await self.stage.rows(
            "SELECT a.* FROM message_attempts a JOIN messages m ON m.tenant_id = a.tenant_id AND m.id = a.message_id "
            "WHERE a.tenant_id = $1 AND m.campaign_id = $2 ORDER BY a.id",
            campaign.id,
        )

    async def execute(self, sql: str, *args: object) -> None:
        """$1 is the tenant."""
        async with self.owner.transaction():
            await current().execute(sql, self.owner.tenant_id, *args)

    async def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that the tenant has, to prove that a refusal changed nothing."""
        tables = (
            "campaigns",
            "messages",
            "mailboxes",
            "suppressions",
            "dkim_keys",
            "enrollments",
            "jobs",
            "live_events",
            "audit_log",
        )
        return {
            table: await self.stage.rows(f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY id") for table in tables
        }

    async def wait_for_greylist(self) -> None:
        """The sandbox keeps real time."""
        await asyncio.sleep(GREYLIST_SECONDS + 0.1)

    async def suppressed(self) -> dict[str, str]:
        rows = await self.stage.rows("SELECT email_key, reason FROM suppressions WHERE tenant_id = $1")
        return {row["email_key"]: row["reason"] for row in rows}

    async def topics(self) -> Counter[str]:
        rows = await self.stage.rows("SELECT topic FROM live_events WHERE tenant_id = $1")
        return Counter(row["topic"] for row in rows)

    def attempts(self, **chosen: str) -> list[Attempt]:
        """What the sandbox saw of this tenant."""
        tenant = str(self.owner.tenant_id)
        stored, _ = self.sandbox.inbox.listed(Filter(**chosen), first=100_000)
        return [each.attempt for each in stored if each.attempt.tenant_id in (tenant, None)]

    def received(self) -> Counter[str]:
        """Recipients of what the sandbox took, silently or not."""
        taken = [a for a in self.attempts() if a.disposition in ("ACCEPTED", "TAKEN_SILENTLY")]
        return Counter(recipient for attempt in taken for recipient in attempt.recipients)

    def after_mail(self, number: int, act: Callable[[], Awaitable[object]]) -> None:
        """Once the number-th mail from now on has been handed over, `act` happens, while its run goes on."""
        ports = self.owner.resources.ports
        own = Interrupting(ports[MailSubmitter], number, act)
        changed = replace(self.owner.resources, ports={**ports, MailSubmitter: own})
        self.stage = replace(self.stage, owner=replace(self.owner, resources=changed))

    def later(self, **by: float) -> datetime:
        return self.clock.now() + timedelta(**by)


class Interrupting:
    """The real submitter, with something that happens after the n-th mail was handed over: the run has the rest claimed."""

    def __init__(self, inner: MailSubmitter, after: int, act: Callable[[], Awaitable[object]]) -> None:
        self._inner = inner
        self._left = after
        self._act = act

    @asynccontextmanager
    async def session(self, server: SmtpServer) -> AsyncIterator[MailSession]:
        async with self._inner.session(server) as session:
            yield _Interrupted(session, self)

    async def check(self, server: SmtpServer, *, sender: str) -> ConnectionVerdict:
        return await self._inner.check(server, sender=sender)

    async def one_more(self) -> None:
        self._left -= 1
        if self._left == 0:
            await self._act()


class _Interrupted:
    def __init__(self, inner: MailSession, owner: Interrupting) -> None:
        self._inner = inner
        self._owner = owner

    @property
    def usable(self) -> bool:
        return self._inner.usable

    async def submit(self, *, return_path: str, recipient: str, raw: bytes) -> SubmitOutcome:
        outcome = await self._inner.submit(return_path=return_path, recipient=recipient, raw=raw)
        await self._owner.one_more()
        return outcome


@asynccontextmanager
async def sending_stage(resources: Resources, folder: Path, **settings: Any) -> AsyncIterator[SendingStage]:
    clock = MovingClock(datetime.fromisoformat("2026-11-24T12:00:00+00:00"))
    async with Sandbox(folder / "sandbox") as sandbox:
        ports = sandbox.ports
        allow = tuple(f"127.0.0.1:{port}" for port in (ports.smtp, ports.smtps, ports.wrong_certificate))
        changed = resources.settings.model_copy(update={"egress_allow": allow})
        submitter = SmtpSubmitter(
            EgressGuard(allow), local_hostname="sender.example", trust_ca_file=sandbox.ca_file, timeouts=QUICK
        )
        own = replace(resources, settings=changed, clock=clock, ports={**resources.ports, MailSubmitter: submitter})
        stage = await new_stage(own, settings)
        yield SendingStage(stage, sandbox, clock, gather_handlers(actors, but=("actors.core", "actors.main")))
