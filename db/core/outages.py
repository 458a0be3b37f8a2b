"""How it shows that a tier is away."""

import asyncpg

AWAY_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a pooled connection whose server said good-bye, but has not closed it yet
    asyncpg.OperatorInterventionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientResourcesError,
    OSError,
    TimeoutError,
)
"""What a tier that is away raises: gone, starting, shutting down, closed to connections, or too slow to answer."""
