"""The relay's lease: one row that every transaction of the leader locks before it writes."""

from datetime import datetime

from db.core.transaction import current

# A leader that stops in mid-transaction would keep its lock, and so the lease, for good.
_IDLE_LIMIT_MILLISECONDS = "5000"


async def take_lease(name: str, holder: str, *, lease_until: datetime, now: datetime) -> int | None:
    """The new fence when the lease was free or over, else None. Waits for a leader's open transaction."""
    fence: int | None = await current().fetchval(
        """
        INSERT INTO relay_lease AS held (name, holder, fence, lease_until) VALUES ($1, $2, 1, $3)
        ON CONFLICT (name) DO UPDATE
        SET holder = EXCLUDED.holder, fence = held.fence + 1, lease_until = EXCLUDED.lease_until
        WHERE held.lease_until < $4
        RETURNING fence
        """,
        name,
        holder,
        lease_until,
        now,
    )
    return fence


async def lock_lease(name: str, holder: str, fence: int) -> bool:
    """Whether the lease is still ours; until this transaction ends nobody can take it.

    FOR SHARE, so that the leader's own transactions do not wait for each other; taking the lease waits for all of them.
    """
    found = await current().fetchval(
        """
        SELECT set_config('idle_in_transaction_session_timeout', $4, true) FROM relay_lease
        WHERE name = $1 AND holder = $2 AND fence = $3 FOR SHARE
        """,
        name,
        holder,
        fence,
        _IDLE_LIMIT_MILLISECONDS,
    )
    return found is not None


async def set_lease_end(name: str, holder: str, fence: int, lease_until: datetime) -> bool:
    """Renews the lease, or gives it back with a moment that has come. False when it is no longer ours."""
    status = await current().execute(
        "UPDATE relay_lease SET lease_until = $4 WHERE name = $1 AND holder = $2 AND fence = $3",
        name,
        holder,
        fence,
        lease_until,
    )
    return status == "UPDATE 1"
