"""Mailboxes: connecting, testing, pausing and disconnecting the accounts that mail is sent through."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import NotFound, Taken, TooLong, WrongState
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from app.jobs.outbox import enqueue
from app.live.recording import record
from app.live.topics import MailboxStatusChanged
from app.outreach.jobs import PlanCampaign, ReleaseMailboxQueue, SendDue, TestMailbox
from app.outreach.ports import SmtpSecurity
from app.outreach.rules.mailbox_settings import check_display_name, check_limits, check_login, checked_address
from app.outreach.rules.mailbox_states import MailboxState
from app.outreach.rules.sending_limits import SendingLimits, SendingPast, next_mail_at
from app.outreach.rules.smtp_hosts import check_server
from db.core.paging import Page
from db.queries.identity import tenants, workspaces
from db.queries.identity.tenants import TenantSettings
from db.queries.outreach import campaign_mailboxes
from db.queries.outreach import mailboxes as query
from db.queries.outreach.mailboxes import Mailbox, NewMailbox

__all__ = ["Mailbox"]  # the row type, for those who may not import db

_EMPTY: Page[Mailbox] = Page([], False)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SmtpLogin:
    """The server that a mailbox submits to. An empty user name means a server that wants no sign-in."""

    host: str
    port: int
    security: SmtpSecurity
    username: str


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """What a person gives to connect a mailbox; None takes the tenant's default."""

    address: str
    display_name: str
    smtp: SmtpLogin
    password: str
    daily_cap: int | None = None
    minimum_gap_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class MailboxChanges:
    """None leaves a value as it is."""

    display_name: str | None = None
    host: str | None = None
    port: int | None = None
    security: SmtpSecurity | None = None
    username: str | None = None
    password: str | None = None
    daily_cap: int | None = None
    minimum_gap_seconds: int | None = None


@requires(Permission.MAILBOXES_WRITE)
async def connect_mailbox(caller: Caller, workspace_id: UUID, settings: MailboxSettings) -> Mailbox:
    """Stores it unverified, its password sealed, and enqueues its connection test.

    Raises NotFound, Taken, and for wrong values InvalidEmailAddress, ServerNotAllowed, Invalid.
    """
    if not caller.sees(workspace_id):
        raise NotFound("workspace", ("input", "workspaceId"))
    caller.must(Permission.MAILBOXES_WRITE, workspace_id)
    _check_server(caller, settings.smtp)
    check_display_name(settings.display_name)
    check_login(settings.smtp.username, settings.password)
    mailbox_id = new_id()
    async with caller.transaction():
        workspace = await workspaces.workspace_by_id(workspace_id)
        defaults = await tenants.settings()
        if workspace is None or workspace.archived_at is not None or defaults is None:
            raise NotFound("workspace", ("input", "workspaceId"))
        if not await query.insert_mailbox(_new_row(caller, mailbox_id, workspace_id, settings, defaults)):
            raise Taken("Your organisation has already connected this mailbox.", ("input", "address"))
        await enqueue(caller, TestMailbox(mailbox_id), dedupe_key=f"test_mailbox:{mailbox_id}")
        mailbox = await _locked(caller, mailbox_id)
        await _changed(caller, mailbox, "mailbox.connect")
        return mailbox


def _new_row(
    caller: Caller, mailbox_id: UUID, workspace_id: UUID, settings: MailboxSettings, defaults: TenantSettings
) -> NewMailbox:
    address, now = checked_address(settings.address), caller.now()
    cap = defaults.default_daily_cap if settings.daily_cap is None else settings.daily_cap
    gap = settings.minimum_gap_seconds
    gap = defaults.default_minimum_gap_seconds if gap is None else gap
    check_limits(cap, gap)
    return NewMailbox(
        tenant_id=caller.tenant_id,
        id=mailbox_id,
        workspace_id=workspace_id,
        address=address.address,
        address_key=address.key,
        domain=address.key.rpartition("@")[2],
        display_name=settings.display_name.strip(),
        smtp_host=settings.smtp.host,
        smtp_port=settings.smtp.port,
        smtp_security=settings.smtp.security,
        smtp_username=settings.smtp.username,
        smtp_secret=_seal(caller, mailbox_id, settings.password),
        smtp_version=1,
        state=MailboxState.UNVERIFIED,
        daily_cap=cap,
        minimum_gap_seconds=gap,
        version=1,
        created_at=now,
        updated_at=now,
    )


@requires(Permission.MAILBOXES_WRITE)
async def update_mailbox(caller: Caller, mailbox_id: UUID, changes: MailboxChanges) -> Mailbox:
    """A change of server, user or password makes it unverified and tests it again. Raises NotFound, WrongState, Invalid."""
    async with caller.transaction():
        mailbox = await _locked(caller, mailbox_id)
        _check_connected(mailbox)
        changed = _with(mailbox, changes)
        is_new_login = _login(changed) != _login(mailbox) or changes.password is not None
        if is_new_login:
            _check_server(caller, _login(changed))
            changed = replace(changed, state=MailboxState.UNVERIFIED, smtp_version=mailbox.smtp_version + 1)
        check_display_name(changed.display_name)
        check_limits(changed.daily_cap, changed.minimum_gap_seconds)
        if changes.password is not None:
            check_login(changed.smtp_username, changes.password)
        secret = None if changes.password is None else _seal(caller, mailbox_id, changes.password)
        changed = _raised(caller, changed)
        await query.update_mailbox(changed, secret=secret)
        if is_new_login:
            await enqueue(caller, TestMailbox(mailbox_id), dedupe_key=f"test_mailbox:{mailbox_id}")
            await release_queue(caller, mailbox_id)
        elif (changed.daily_cap, changed.minimum_gap_seconds) != (mailbox.daily_cap, mailbox.minimum_gap_seconds):
            await wake_mailbox(caller, mailbox_id)
        await _changed(caller, changed, "mailbox.update")
        return changed


@requires(Permission.MAILBOXES_WRITE)
async def test_mailbox(caller: Caller, mailbox_id: UUID) -> Mailbox:
    """Enqueues a connection test; its verdict is written into the mailbox. Raises NotFound, WrongState."""
    async with caller.transaction():
        mailbox = await _locked(caller, mailbox_id)
        _check_connected(mailbox)
        await enqueue(caller, TestMailbox(mailbox_id), dedupe_key=f"test_mailbox:{mailbox_id}")
        await audit(caller, "mailbox.test", object_type="Mailbox", object_id=mailbox_id)
        return mailbox


test_mailbox.__test__ = False  # type: ignore[attr-defined]  # a use case, not a test


@requires(Permission.MAILBOXES_WRITE)
async def pause_mailbox(caller: Caller, mailbox_id: UUID, *, reason: str | None = None) -> Mailbox:
    """Nothing more leaves it, not even what its run has claimed. Raises NotFound, WrongState."""
    if reason is not None and len(reason) > 500:
        raise TooLong("The reason may have at most 500 characters.", ("input", "reason"))
    async with caller.transaction():
        mailbox = await _locked(caller, mailbox_id)
        _check_connected(mailbox)
        if mailbox.paused_at is not None:
            raise WrongState("The mailbox is paused already.", ("input", "mailboxId"))
        paused = await pause_locked(caller, mailbox, reason or "Paused by a person.")
        await audit(caller, "mailbox.pause", object_type="Mailbox", object_id=mailbox_id)
        return paused


@requires(Permission.MAILBOXES_WRITE)
async def resume_mailbox(caller: Caller, mailbox_id: UUID) -> Mailbox:
    """Raises NotFound, WrongState."""
    async with caller.transaction():
        mailbox = await _locked(caller, mailbox_id)
        _check_connected(mailbox)
        if mailbox.paused_at is None:
            raise WrongState("The mailbox is not paused.", ("input", "mailboxId"))
        changed = _raised(caller, replace(mailbox, paused_at=None, pause_reason=None))
        await query.update_mailbox(changed)
        await wake_mailbox(caller, mailbox_id)
        await _changed(caller, changed, "mailbox.resume")
        return changed


@requires(Permission.MAILBOXES_WRITE)
async def disconnect_mailbox(caller: Caller, mailbox_id: UUID) -> Mailbox:
    """Forgets its password for good; what waits goes to the campaigns' other mailboxes. Raises NotFound, WrongState."""
    async with caller.transaction():
        mailbox = await _locked(caller, mailbox_id)
        _check_connected(mailbox)
        await query.disconnect_mailbox(mailbox_id, caller.now())
        await release_queue(caller, mailbox_id)
        gone = replace(mailbox, state=MailboxState.DISCONNECTED, version=mailbox.version + 1, updated_at=caller.now())
        await _changed(caller, gone, "mailbox.disconnect")
        return gone


@requires(Permission.MAILBOXES_READ)
async def mailboxes(caller: Caller, workspace_id: UUID, *, first: int, after: UUID | None) -> Page[Mailbox]:
    if not caller.sees(workspace_id):
        return _EMPTY
    async with caller.transaction(read_only=True):
        return await query.mailboxes(workspace_id, first=first, after=after)


@requires(Permission.MAILBOXES_READ)
async def mailbox_by_id(caller: Caller, mailbox_id: UUID) -> Mailbox:
    """Raises NotFound."""
    async with caller.transaction(read_only=True):
        mailbox = await query.mailbox_by_id(mailbox_id)
    if mailbox is None or not caller.sees(mailbox.workspace_id):
        raise NotFound("mailbox")
    return mailbox


@requires(Permission.MAILBOXES_READ)
async def mailboxes_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[Mailbox | None]:
    """In the order of `ids`; None for what does not exist or is not visible."""
    async with caller.transaction(read_only=True):
        found = {row.id: row for row in await query.mailboxes_by_ids(ids) if caller.sees(row.workspace_id)}
    return [found.get(each) for each in ids]


def next_mail_of(mailbox: Mailbox) -> datetime | None:
    """The earliest moment of its next mail, by gap, back-off and daily cap; None or a past moment: at once."""
    limits = SendingLimits(mailbox.daily_cap, mailbox.minimum_gap_seconds, mailbox.time_zone)
    return next_mail_at(limits, SendingPast(mailbox.sent_on, mailbox.sent_today, mailbox.next_send_at))


async def pause_locked(caller: Caller, mailbox: Mailbox, reason: str) -> Mailbox:
    """Inside the caller's transaction, with the row locked: pauses it and gives its queue back."""
    changed = _raised(caller, replace(mailbox, paused_at=caller.now(), pause_reason=reason))
    await query.update_mailbox(changed)
    await release_queue(caller, mailbox.id)
    await record_status(caller, changed, reason)
    return changed


async def record_status(caller: Caller, mailbox: Mailbox, reason: str | None) -> None:
    """Inside the caller's transaction."""
    await record(
        caller,
        MailboxStatusChanged(
            workspace_id=mailbox.workspace_id,
            object_id=mailbox.id,
            version=mailbox.version,
            state=mailbox.state,
            paused=mailbox.paused_at is not None,
            reason=reason,
        ),
    )


async def wake_mailbox(caller: Caller, mailbox_id: UUID) -> None:
    """Inside the caller's transaction: its run looks again, and the campaigns that use it are planned again."""
    await enqueue(caller, SendDue(mailbox_id), dedupe_key=f"send_due:{mailbox_id}")
    for campaign_id in await campaign_mailboxes.running_campaigns(mailbox_id):
        await enqueue(caller, PlanCampaign(campaign_id), dedupe_key=f"plan_campaign:{campaign_id}")


async def release_queue(caller: Caller, mailbox_id: UUID) -> None:
    """Inside the caller's transaction: what waits in it goes to others."""
    await enqueue(caller, ReleaseMailboxQueue(mailbox_id), dedupe_key=f"release_queue:{mailbox_id}")


async def _changed(caller: Caller, mailbox: Mailbox, action: str) -> None:
    await record_status(caller, mailbox, mailbox.pause_reason or mailbox.verdict_sentence)
    await audit(caller, action, object_type="Mailbox", object_id=mailbox.id, details={"address": mailbox.address})


async def _locked(caller: Caller, mailbox_id: UUID) -> Mailbox:
    mailbox = await query.lock_mailbox(mailbox_id)
    if mailbox is None or not caller.sees(mailbox.workspace_id):
        raise NotFound("mailbox", ("input", "mailboxId"))
    caller.must(Permission.MAILBOXES_WRITE, mailbox.workspace_id)
    return mailbox


def _check_connected(mailbox: Mailbox) -> None:
    if mailbox.state == MailboxState.DISCONNECTED:
        raise WrongState("The mailbox is disconnected: connect it anew.", ("input", "mailboxId"))


def _check_server(caller: Caller, login: SmtpLogin) -> None:
    is_plain = login.security is SmtpSecurity.PLAIN
    check_server(login.host, login.port, plain=is_plain, allow=caller.resources.settings.egress_allow)


def _login(mailbox: Mailbox) -> SmtpLogin:
    security = SmtpSecurity(mailbox.smtp_security)
    return SmtpLogin(mailbox.smtp_host, mailbox.smtp_port, security, mailbox.smtp_username)


def _with(mailbox: Mailbox, changes: MailboxChanges) -> Mailbox:
    def pick(new: Value | None, old: Value) -> Value:
        return old if new is None else new

    return replace(
        mailbox,
        display_name=pick(changes.display_name, mailbox.display_name).strip(),
        smtp_host=pick(changes.host, mailbox.smtp_host),
        smtp_port=pick(changes.port, mailbox.smtp_port),
        smtp_security=pick(changes.security, mailbox.smtp_security),
        smtp_username=pick(changes.username, mailbox.smtp_username),
        daily_cap=pick(changes.daily_cap, mailbox.daily_cap),
        minimum_gap_seconds=pick(changes.minimum_gap_seconds, mailbox.minimum_gap_seconds),
    )


def _raised(caller: Caller, mailbox: Mailbox) -> Mailbox:
    return replace(mailbox, version=mailbox.version + 1, updated_at=caller.now())


def _seal(caller: Caller, mailbox_id: UUID, password: str) -> bytes:
    return caller.resources.cipher.seal(
        password.encode(), tenant_id=caller.tenant_id, table="mailboxes", column="smtp_secret", row_id=mailbox_id
    )
