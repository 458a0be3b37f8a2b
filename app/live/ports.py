"""What live needs from identity."""

from typing import Protocol

from app.core.caller import Caller


class CallerCheck(Protocol):
    """Whether a caller that subscribed a while ago may still watch."""

    async def current(self, caller: Caller) -> Caller:
        """The caller as it stands now: role and workspaces read anew, through a cache of at most five seconds.

        Raises Unauthenticated when the session or the membership is gone.
        """
        ...
