"""The lease on a mailbox: one run at a time sends through it, and what an ended one left behind is found."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from db.core.rows import all_rows, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class RunStart:
    """The mailbox at the moment its run was taken: settings, sealed password, figures, the tenant's time zone."""

    fence: int
    workspace_id: UUID
    address: str
    domain: str
    display_name: str
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_username: str
    smtp_secret: bytes | None
    smtp_version: int
    state: str
    paused_at: datetime | None
    daily_cap: int
    minimum_gap_seconds: int
    sent_on: date | None
    sent_today: int
    next_send_at: datetime | None
    failures: int
    time_zone: str


@dataclass(frozen=True, slots=True)
class LeftMessage:
    """A message that an ended run had marked: whether its server took it, nobody knows."""

    id: UUID
    workspace_id: UUID
    campaign_id: UUID
    to_address: str
    fence: int


async def take_run(mailbox_id: UUID, *, now: datetime, lease_until: datetime) -> RunStart | None:
    """A new fence and lease; None while another run's lease lasts, or when the mailbox is gone."""
    return await one_row(
        RunStart,
        """
        WITH taken AS (
          UPDATE mailbox_runs SET fence = fence + 1, lease_until = $4
          WHERE tenant_id = $1 AND mailbox_id = $2 AND (lease_until IS NULL OR lease_until <= $3) RETURNING *)
        SELECT t.fence, m.workspace_id, m.address, m.domain, m.display_name, m.smtp_host, m.smtp_port, m.smtp_security,
          m.smtp_username, m.smtp_secret, m.smtp_version, m.state, m.paused_at, m.daily_cap, m.minimum_gap_seconds,
          t.sent_on, t.sent_today, t.next_send_at, t.failures, s.time_zone
        FROM taken t JOIN mailboxes m ON m.tenant_id = t.tenant_id AND m.id = t.mailbox_id
        JOIN tenant_settings s ON s.tenant_id = t.tenant_id
        """,
        current().tenant_id,
        mailbox_id,
        now,
        lease_until,
    )


async def lease_until(mailbox_id: UUID) -> datetime | None:
    until: datetime | None = await current().fetchval(
        "SELECT lease_until FROM mailbox_runs WHERE tenant_id = $1 AND mailbox_id = $2", current().tenant_id, mailbox_id
    )
    return until


async def keep_run(mailbox_id: UUID, fence: int, *, lease_until: datetime) -> bool:
    """Prolongs the lease; False when another run has taken over."""
    status = await current().execute(
        "UPDATE mailbox_runs SET lease_until = $4 WHERE tenant_id = $1 AND mailbox_id = $2 AND fence = $3",
        current().tenant_id,
        mailbox_id,
        fence,
        lease_until,
    )
    return status == "UPDATE 1"


async def end_run(mailbox_id: UUID, fence: int) -> bool:
    """Gives the lease back, and holds the row until the commit; False when another run has taken over."""
    status = await current().execute(
        "UPDATE mailbox_runs SET lease_until = NULL WHERE tenant_id = $1 AND mailbox_id = $2 AND fence = $3",
        current().tenant_id,
        mailbox_id,
        fence,
    )
    return status == "UPDATE 1"


async def give_slot_back(mailbox_id: UUID, fence: int, on: date) -> None:
    """A try that the server has certainly kept nothing of does not count for its day."""
    await current().execute(
        "UPDATE mailbox_runs SET sent_today = greatest(0, sent_today - 1) "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND fence = $3 AND sent_on = $4",
        current().tenant_id,
        mailbox_id,
        fence,
        on,
    )


async def put_off(mailbox_id: UUID, fence: int, *, until: datetime, failures: int, problem: str, now: datetime) -> None:
    """Nothing leaves the mailbox before then; the problem stays until its server works again."""
    await current().execute(
        "UPDATE mailbox_runs SET next_send_at = greatest(next_send_at, $4), failures = $5, "
        "last_problem = $6, last_problem_at = $7 "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND fence = $3",
        current().tenant_id,
        mailbox_id,
        fence,
        until,
        failures,
        problem,
        now,
    )


async def forget_problem(mailbox_id: UUID) -> None:
    """Its server has worked: the next failure is the first again."""
    await current().execute(
        "UPDATE mailbox_runs SET failures = 0, last_problem = NULL, last_problem_at = NULL "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND failures > 0",
        current().tenant_id,
        mailbox_id,
    )


async def next_due_at(mailbox_id: UUID) -> datetime | None:
    """When the first waiting message of a running campaign is due; None when none waits."""
    due_at: datetime | None = await current().fetchval(
        "SELECT m.due_at FROM messages m JOIN campaigns c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id "
        "AND c.state = 'running' WHERE m.tenant_id = $1 AND m.mailbox_id = $2 AND m.due_at IS NOT NULL "
        "ORDER BY m.due_at LIMIT 1",
        current().tenant_id,
        mailbox_id,
    )
    return due_at


async def left_submitting(mailbox_id: UUID, fence: int) -> list[LeftMessage]:
    """Messages that an earlier fence had marked: at most one."""
    return await all_rows(
        LeftMessage,
        "SELECT id, workspace_id, campaign_id, to_address, fence FROM messages "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND state = 'submitting' AND fence < $3",
        current().tenant_id,
        mailbox_id,
        fence,
    )


async def put_back_left(mailbox_id: UUID, fence: int, *, due_at: datetime) -> int:
    """What earlier fences had claimed and not marked goes back to the queue. Returns how many."""
    status = await current().execute(
        "UPDATE messages SET state = 'queued', due_at = $4, version = version + 1 "
        "WHERE tenant_id = $1 AND mailbox_id = $2 AND state = 'claimed' AND fence < $3",
        current().tenant_id,
        mailbox_id,
        fence,
        due_at,
    )
    return int(status.rpartition(" ")[2])


async def slowdown(mailbox_id: UUID, recipient_domain: str) -> tuple[int, datetime] | None:
    """(level, until) of the provider's last complaint."""
    row = await current().fetchrow(
        "SELECT level, until_at FROM provider_slowdowns WHERE tenant_id = $1 AND mailbox_id = $2 AND recipient_domain = $3",
        current().tenant_id,
        mailbox_id,
        recipient_domain,
    )
    return None if row is None else (row["level"], row["until_at"])


async def write_slowdown(
    mailbox_id: UUID, recipient_domain: str, *, level: int, until_at: datetime, reply: str
) -> None:
    await current().execute(
        "INSERT INTO provider_slowdowns (tenant_id, mailbox_id, recipient_domain, level, until_at, reply) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, mailbox_id, recipient_domain) "
        "DO UPDATE SET level = EXCLUDED.level, until_at = EXCLUDED.until_at, reply = EXCLUDED.reply",
        current().tenant_id,
        mailbox_id,
        recipient_domain,
        level,
        until_at,
        reply,
    )


async def recent_tries(mailbox_id: UUID, limit: int) -> list[tuple[str, datetime]]:
    """(outcome, at) of the mailbox's last tries, newest first, among the last 500 of its tenant.

    Ids are UUIDv7, so the key itself is read backwards: no index by mailbox has to be kept for every mail.
    """
    rows = await current().fetch(
        "SELECT outcome, at FROM (SELECT mailbox_id, outcome, at, id FROM message_attempts WHERE tenant_id = $1 "
        "ORDER BY tenant_id DESC, id DESC LIMIT 500) latest WHERE mailbox_id = $2 ORDER BY id DESC LIMIT $3",
        current().tenant_id,
        mailbox_id,
        limit,
    )
    return [(row["outcome"], row["at"]) for row in rows]
