"""Whether a tier answers."""

from db.core.transaction import current


async def answer() -> int:
    """1. Raises what the database raises when it does not answer."""
    value: int = await current().fetchval("SELECT 1")
    return value
