"""Watches the rights behind an open connection: its token's expiry, a revoked session, a lost role."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.core.caller import Caller
from app.core.door import ConnectionFacts, Door
from app.core.errors import Unauthenticated

log = structlog.get_logger(__name__)

RECHECK_SECONDS = 3.0
GRACE_SECONDS = 15.0


class RightsLost(Exception):
    """The connection must end; the message is the reason that the client reads."""


class RightsUnknown(Exception):
    """The door could not say for too long, as while PostgreSQL is away: the client may come back later."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What admitted the connection, kept to be asked again."""

    door: Door
    authorization: str | None
    facts: ConnectionFacts
    recheck_seconds: float = RECHECK_SECONDS
    grace_seconds: float = GRACE_SECONDS

    async def watch(self, caller: Caller, renew: Callable[[Caller], None]) -> None:
        """Returns never; raises RightsLost at expiry, and within `recheck_seconds` of a revoked or lessened right.

        A door that fails is asked again for `grace_seconds`; then RightsUnknown is raised.
        `renew` gets each fresh caller whose rights are the same or more.
        """
        known_at = time.monotonic()
        while True:
            await asyncio.sleep(self._pause_seconds(caller))
            if caller.expires_at is not None and caller.now() >= caller.expires_at:
                raise RightsLost("The access token has expired: connect again with a new one.")
            try:
                fresh = await self.door.admit(self.authorization, self.facts)
            except Unauthenticated as error:
                raise RightsLost(error.message) from None
            except Exception as error:
                if time.monotonic() - known_at > self.grace_seconds:
                    raise RightsUnknown from error
                log.warning("graphql.recheck_failed", request_id=self.facts.request_id, error=repr(error))
                continue
            known_at = time.monotonic()
            if has_less(fresh, caller):
                raise RightsLost("Your rights have changed: connect again.")
            caller = fresh
            renew(fresh)

    def _pause_seconds(self, caller: Caller) -> float:
        if caller.expires_at is None:
            return self.recheck_seconds
        left_seconds = (caller.expires_at - caller.now()).total_seconds()
        return max(0.01, min(self.recheck_seconds, left_seconds))


def has_less(fresh: Caller, before: Caller) -> bool:
    """Whether a right that the connection was opened with is gone or another one."""
    if (fresh.kind, fresh.tenant, fresh.user_id, fresh.role) != (
        before.kind,
        before.tenant,
        before.user_id,
        before.role,
    ):
        return True
    return any(fresh.workspaces.get(workspace) != role for workspace, role in before.workspaces.items())
