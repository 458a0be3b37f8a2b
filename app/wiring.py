"""The one page that chooses implementations. Both entry points (API and actors) and the tests compose from here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.core.clock import Clock
from app.core.door import Door
from app.core.rate_limits import RateLimits
from app.core.resources import Resources
from app.core.secrets import Cipher
from app.core.settings import Settings, parse_master_keys
from app.identity.access_tokens import AccessTokens
from app.identity.door import SessionDoor
from app.identity.passwords import Passwords
from app.identity.ports import SystemMail
from app.jobs.maintenance import Cleaners, expire_finished_jobs
from app.live.feed import LiveFeed
from app.live.ports import CallerCheck
from app.live.retention import expire_live_events
from app.outreach.contact_imports import expire_import_errors
from app.outreach.ports import MailSubmitter, SandboxInbox
from app.outreach.templates import expire_orphaned_versions
from app.outreach.uploads import expire_uploads
from app.providers.egress import EgressGuard
from app.providers.sandbox_inbox import HttpSandboxInbox
from app.providers.smtp.submitter import SmtpSubmitter
from app.providers.system_mail import SystemSmtp
from db.core.tiers import CONTENT, OLAP, OLTP, SYSTEM, TierEngine

REDIS_TIMEOUT_SECONDS = 2.0

CLEANERS = Cleaners(
    (
        expire_finished_jobs,
        expire_live_events,
        expire_import_errors,
        expire_uploads,
        expire_orphaned_versions,
    )
)


def build_resources(settings: Settings) -> Resources:
    """What a process works with. Opens nothing: `opened` opens the pools, Redis connects when it is first used."""
    clock = Clock(settings.clock_start, speed=settings.clock_speed, epoch_at=settings.clock_epoch_at)
    redis = redis_client(settings)
    ports = _ports(settings, clock, redis)
    resources = Resources(
        settings=settings,
        clock=clock,
        cipher=Cipher(parse_master_keys(settings.master_keys.get_secret_value())),
        redis=redis,
        ports=ports,
    )
    door = SessionDoor(resources)  # it hands the resources on with every caller that it admits
    ports[Door] = ports[CallerCheck] = door
    return resources


def redis_client(settings: Settings) -> Redis:
    """Fails fast: Redis is the wake-up, never the truth, and nobody waits for it."""
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )


def _ports(settings: Settings, clock: Clock, redis: Redis) -> dict[type[Any], Any]:
    return {
        AccessTokens: AccessTokens.of(settings),
        Passwords: Passwords(),
        RateLimits: RateLimits(redis),
        SystemMail: SystemSmtp(
            settings.system_smtp_url,
            sender=settings.system_mail_from,
            clock=clock,
            trust_ca_file=settings.trust_ca_file,
        ),
        LiveFeed: LiveFeed(settings.redis_url),
        Cleaners: CLEANERS,
        MailSubmitter: SmtpSubmitter(
            EgressGuard(settings.egress_allow),
            local_hostname=urlsplit(settings.public_url).hostname or "localhost",
            trust_ca_file=settings.trust_ca_file,
        ),
        SandboxInbox: HttpSandboxInbox(settings.sandbox_http_url),
    }


@asynccontextmanager
async def opened(resources: Resources, *, system: bool = False) -> AsyncIterator[Resources]:
    """Opens the pools of this process, and closes them and Redis at the end. `system` opens the relay's pool too.

    Pools connect when they are first used: a process starts, and serves what it can, while a tier is down.
    """
    settings = resources.settings
    pools: list[tuple[TierEngine, str, int]] = [
        (OLTP, settings.oltp_url, settings.oltp_pool),
        (CONTENT, settings.content_url, settings.content_pool),
        (OLAP, settings.olap_url, settings.olap_pool),
    ]
    if system:
        if settings.system_url is None:
            raise ValueError("PENGUINMAILS_SYSTEM_URL is not set: the relay works as the role penguinmails_system.")
        pools.append((SYSTEM, settings.system_url, settings.system_pool))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(resources.redis.aclose)
        stack.push_async_callback(resources.hints.close)
        for engine, url, size in pools:
            await engine.open(url, max_size=size, statement_cache=settings.statement_cache)
            stack.push_async_callback(engine.close)
        stack.push_async_callback(resources.port(LiveFeed).close)
        yield resources
