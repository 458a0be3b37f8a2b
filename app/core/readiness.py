"""Whether this process can serve: PostgreSQL is needed, everything else is missed and said so."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from app.core.resources import Resources
from db.core.tiers import CONTENT, OLAP, OLTP, TierEngine
from db.core.transaction import shared_transaction
from db.queries.core import readiness as rows

ANSWER_SECONDS = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Which parts answered in time."""

    oltp: bool
    content: bool
    olap: bool
    redis: bool

    @property
    def status(self) -> str:
        """ready, degraded (it serves, with something missing) or unavailable."""
        if not self.oltp:
            return "unavailable"
        return "ready" if self.content and self.olap and self.redis else "degraded"


async def readiness(resources: Resources) -> Readiness:
    """Asks all parts at the same time; takes two seconds at most."""
    oltp, content, olap, redis = await asyncio.gather(
        _answers("oltp", lambda: _ask(OLTP)),
        _answers("content", lambda: _ask(CONTENT)),
        _answers("olap", lambda: _ask(OLAP)),
        _answers("redis", lambda: _ping(resources)),
    )
    return Readiness(oltp, content, olap, redis)


async def _answers(part: str, ask: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await ask()
    except Exception as error:  # noqa: BLE001  # however it fails, the part does not answer
        _log.warning("part_does_not_answer", part=part, error=f"{type(error).__name__}: {error}")
        return False
    return True


async def _ask(tier: TierEngine) -> None:
    async with shared_transaction(tier=tier, read_only=True):
        await rows.answer()


async def _ping(resources: Resources) -> None:
    await resources.redis.ping()
