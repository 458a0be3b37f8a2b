"""One relay leads at a time. The lease says who; each transaction of the leader proves it before it writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.core.clock import Clock
from db.core.transaction import Transaction, system_transaction
from db.queries.jobs import leadership as rows

LEASE_NAME = "relay"


class LeadershipLost(Exception):
    """Another process took the lease over; nothing of this transaction was written."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """The right to move jobs and number events, until somebody else takes it. `fence` rises with every leader."""

    clock: Clock
    holder: str
    fence: int

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A system transaction that first locks the lease, so that a leader that slept cannot write.

        Raises LeadershipLost.
        """
        async with system_transaction() as transaction:
            if not await rows.lock_lease(LEASE_NAME, self.holder, self.fence):
                raise LeadershipLost(f"{self.holder} no longer leads")
            yield transaction

    async def renew(self, lease_seconds: float) -> None:
        """Leads on for `lease_seconds` of real time. Raises LeadershipLost."""
        async with system_transaction():
            until = self.clock.after(lease_seconds)
            if not await rows.set_lease_end(LEASE_NAME, self.holder, self.fence, until):
                raise LeadershipLost(f"{self.holder} no longer leads")

    async def give_back(self) -> None:
        """Lets a standby lead at once; does nothing when another one leads already."""
        async with system_transaction():
            await rows.set_lease_end(LEASE_NAME, self.holder, self.fence, self.clock.now())


async def take_leadership(clock: Clock, holder: str, *, lease_seconds: float) -> Leadership | None:
    """None while another process leads."""
    async with system_transaction():
        fence = await rows.take_lease(LEASE_NAME, holder, lease_until=clock.after(lease_seconds), now=clock.now())
    return None if fence is None else Leadership(clock, holder, fence)
