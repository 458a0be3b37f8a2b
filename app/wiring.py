"""The one page that chooses implementations. Both entry points (API and actors) and the tests compose from here."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.core.clock import Clock
from app.core.resources import Resources
from app.core.secrets import Cipher
from app.core.settings import Settings, parse_master_keys
from db.core.tiers import CONTENT, OLAP, OLTP, SYSTEM, TierEngine

REDIS_TIMEOUT_SECONDS = 2.0


def build_resources(settings: Settings) -> Resources:
    """What a process works with. Opens nothing: `opened` opens the pools, Redis connects when it is first used."""
    return Resources(
        settings=settings,
        clock=Clock(settings.clock_start, speed=settings.clock_speed, epoch_at=settings.clock_epoch_at),
        cipher=Cipher(parse_master_keys(settings.master_keys.get_secret_value())),
        redis=redis_client(settings),
        ports=_ports(settings),
    )


def redis_client(settings: Settings) -> Redis:
    """Fails fast: Redis is the wake-up, never the truth, and nobody waits for it."""
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )


def _ports(settings: Settings) -> Mapping[type[Any], Any]:
    return {}


@asynccontextmanager
async def opened(resources: Resources, *, system: bool = False) -> AsyncIterator[Resources]:
    """Opens the pools of this process, and closes them and Redis at the end. `system` opens the relay's pool too.

    Content and OLAP pools connect when they are first used: a process starts and serves while one of them is down.
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
        for engine, url, size in pools:
            await engine.open(url, max_size=size, statement_cache=settings.statement_cache)
            stack.push_async_callback(engine.close)
        yield resources
