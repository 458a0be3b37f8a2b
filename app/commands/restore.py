"""`restore`: the three tiers from a folder made by `backup`."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import asyncpg
import typer

from app.commands.backup_manifest import check_files, read_manifest
from app.commands.data_folder import PREFIX, TIERS, tier_urls, use_settings_of
from app.commands.failure import CommandFailed
from app.commands.options import DEFAULT_DATA, DataOption
from app.commands.postgres_tools import run_tool
from app.commands.restored_campaigns import pause_restored_campaigns

TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder made by `backup`.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace what the tiers hold now.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Read the three tiers back, as their owner, after checking every file against the manifest. Refuses tiers that hold
    tables already, unless --force is given. Safe to repeat. Campaigns that ran come back paused.

    Stop `serve`, `relay` and `work` first. `up` must run, since the databases are in it: restore beside it while nobody
    uses it, then stop it and start it again."""
    use_settings_of(data, as_operator=True)
    owners = tier_urls("OWNER")
    missing = [f"{PREFIX}{tier.upper()}_OWNER_URL" for tier in TIERS if tier not in owners]
    if missing:
        raise CommandFailed(f"Not set: {', '.join(missing)} (the tier as the role penguinmails_owner).")
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    dumps = {dump.tier: folder / dump.file for dump in manifest.dumps}
    if set(dumps) != set(TIERS):
        raise CommandFailed(f"{folder} holds {', '.join(dumps) or 'nothing'} instead of {', '.join(TIERS)}.")
    _make_empty(owners, force=force)
    for tier in TIERS:
        options = ["--no-owner", "--exit-on-error", "--single-transaction", str(dumps[tier])]
        run_tool("pg_restore", options, url=owners[tier])
        typer.echo(f"{tier}: restored")
    paused = asyncio.run(pause_restored_campaigns(owners["oltp"]))
    typer.echo(f"Restored the backup of {manifest.made_at}. Redis needs nothing: waiting jobs are dispatched again.")
    if paused:
        typer.echo(
            f"{paused} running campaigns are paused: mail that was sent after the backup is not in the ledger, and would be "
            "sent again. Compare with your mail servers before you resume or cancel them."
        )


def _make_empty(owners: dict[str, str], *, force: bool) -> None:
    try:
        found = {tier: asyncio.run(_tables(url)) for tier, url in owners.items()}
        filled = [f"{tier} ({len(tables)} tables)" for tier, tables in found.items() if tables]
        if filled and not force:
            raise CommandFailed(f"Nothing was restored: {', '.join(filled)} would be overwritten. --force does so.")
        for tier, tables in found.items():
            if tables:
                asyncio.run(_drop(owners[tier], tables))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(
            f"A tier cannot be reached or emptied: {error}. A server of your own must run, with `serve`, `relay` and `work` "
            "stopped; the databases of `up` are there while `up` runs."
        ) from error


async def _tables(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row["tablename"] for row in await connection.fetch(TABLES)]
    finally:
        await connection.close()


async def _drop(url: str, tables: list[str]) -> None:
    """All at once, so that a failure drops none."""
    names = ", ".join('public."' + table.replace('"', '""') + '"' for table in tables)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET lock_timeout = '10s'; DROP TABLE {names} CASCADE")
    finally:
        await connection.close()
