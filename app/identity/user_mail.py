"""Mail to a user: written and sent by jobs.

They wait in a tenant of the platform's own, which has no members. In a tenant of the user, its owner would see among its
jobs whether somebody asked for a new password, and with it whether an address has another, verified user.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from app.core.caller import Caller
from app.core.ids import NIL, new_id
from app.core.permissions import Permission
from app.core.secrets import Token, hash_secret
from app.core.use_case import requires
from app.identity.candidates import candidates_of
from app.identity.ports import Mail, SystemMail
from app.identity.rules import mail_texts
from app.identity.rules.addresses import address_key
from app.identity.rules.session_life import RESET_LIFE, VERIFICATION_LIFE
from app.identity.sign_in_limits import may_mail
from app.jobs.job import Job, spec_of
from app.jobs.maintenance import plant_maintenance
from app.jobs.outbox import enqueue
from db.core.transaction import shared_transaction, tenant_transaction
from db.queries.identity import tenants, user_tokens, users
from db.queries.identity.tenants import Tenant
from db.queries.identity.user_tokens import UserToken
from db.queries.identity.users import User

VERIFY, RESET = "verify", "reset"
PLATFORM = Tenant(UUID("00000000-0000-7000-8000-000000000001"), "PenguinMails")
PURPOSES = {VERIFY: "verify_email", RESET: "reset_password"}


async def mail_user(caller: Caller, user: User, job: Job) -> None:
    """Queues the job, in a transaction of its own, unless the address got too many such mails within the hour."""
    name = spec_of(job).name
    if not await may_mail(caller, name, user.email_key):
        return
    by_platform = replace(caller, tenant=PLATFORM.id)
    async with tenant_transaction(PLATFORM.id):
        if await tenants.insert_tenant(PLATFORM):
            await plant_maintenance(by_platform)
        await enqueue(by_platform, job, dedupe_key=f"{name}:{user.id}")


@requires(Permission.TENANT_UPDATE)
async def send_verification(caller: Caller, user_id: UUID) -> None:
    """Makes a new link and sends it; earlier ones stay good. Does nothing for a verified user.

    Where another user of the address is verified, the mail says that somebody signed up with it, and holds no link:
    nobody but the mailbox's reader ever learns which of the two mails was sent.
    """
    user = await _user(user_id)
    if user is None or user.email_verified_at is not None:
        return
    holder = (await candidates_of(user.email_key)).verified
    if holder is not None:
        await _send(caller, holder, mail_texts.account_exists(_url(caller), name=holder.display_name))
        return
    token = await _new_token(caller, user, VERIFY, VERIFICATION_LIFE)
    hours = int(VERIFICATION_LIFE.total_seconds() // 3600)
    text = mail_texts.verification(
        _url(caller), name=user.display_name, signed_up_at=user.created_at, token=token, hours=hours
    )
    await _send(caller, user, text)


@requires(Permission.TENANT_UPDATE)
async def send_verification_to(caller: Caller, email: str) -> None:
    """As send_verification, for the newest unverified user of an address, if there is one."""
    user = (await candidates_of(address_key(email))).unverified
    if user is not None:
        await send_verification(caller, user.id)


@requires(Permission.TENANT_UPDATE)
async def send_password_reset(caller: Caller, user_id: UUID) -> None:
    """Makes a new link, good for an hour and once, and sends it."""
    user = await _user(user_id)
    if user is None:
        return
    token = await _new_token(caller, user, RESET, RESET_LIFE)
    minutes = int(RESET_LIFE.total_seconds() // 60)
    text = mail_texts.password_reset(_url(caller), name=user.display_name, token=token, minutes=minutes)
    await _send(caller, user, text)


@requires(Permission.TENANT_UPDATE)
async def send_password_changed(caller: Caller, user_id: UUID) -> None:
    user = await _user(user_id)
    if user is not None:
        await _send(caller, user, mail_texts.password_changed(_url(caller), name=user.display_name))


@requires(Permission.TENANT_UPDATE)
async def send_totp_changed(caller: Caller, user_id: UUID, change: str) -> None:
    """`change` is a TotpChange."""
    user = await _user(user_id)
    if user is not None:
        await _send(caller, user, mail_texts.totp_changed(_url(caller), name=user.display_name, change=change))


async def _user(user_id: UUID) -> User | None:
    async with shared_transaction(read_only=True):
        return await users.user_by_id(user_id)


async def _new_token(caller: Caller, user: User, kind: str, life: timedelta) -> str:
    """Written before it is sent. It belongs to no tenant, so the nil UUID stands for one."""
    token = Token.new(kind, NIL, new_id())
    now = caller.now()
    row = UserToken(token.row_id, user.id, PURPOSES[kind], hash_secret(token.secret), now + life, None, now)
    async with shared_transaction():
        await user_tokens.insert_token(row)
    return str(token)


async def _send(caller: Caller, user: User, words: tuple[str, str]) -> None:
    await caller.resources.port(SystemMail).send(Mail(user.email, *words))


def _url(caller: Caller) -> str:
    return caller.resources.settings.public_url
