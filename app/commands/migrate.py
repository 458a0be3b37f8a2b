"""`migrate`: the three tiers' schemas, as their owner."""

import asyncio
import os

from rich.console import Console

from app.commands.data_folder import PREFIX, TIERS, tier_urls, use_settings_of
from app.commands.failure import CommandFailed
from app.commands.options import DEFAULT_DATA, DataOption
from db.core.migrating import MigrationFailed
from db.core.migrating import migrate as run_migrations


def migrate(data: DataOption = DEFAULT_DATA) -> None:
    """Bring the three tiers up to date. Needs only their owner:
    PENGUINMAILS_OLTP_OWNER_URL, PENGUINMAILS_CONTENT_OWNER_URL and PENGUINMAILS_OLAP_OWNER_URL
    (or the data folder of a running `up`). Safe to run twice, also at once."""
    use_settings_of(data, as_operator=True)
    owners = tier_urls("OWNER")
    missing = [f"{PREFIX}{tier.upper()}_OWNER_URL" for tier in TIERS if tier not in owners]
    if missing:
        raise CommandFailed(f"Not set: {', '.join(missing)} (the tier as the role penguinmails_owner).")
    is_nile = os.environ.get(f"{PREFIX}DATABASE_DIALECT") == "nile"
    try:
        ran = asyncio.run(run_migrations(owners, nile=is_nile))
    except (MigrationFailed, OSError) as error:
        raise CommandFailed(f"Nothing of the failing tier was changed. {error}") from error
    console = Console(highlight=False)
    for tier, ids in ran.items():
        console.print(f"{tier}: {', '.join(ids) if ids else 'up to date'}")
