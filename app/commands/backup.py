"""`backup`: the three tiers in a folder."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands.backup_manifest import DumpFile, Manifest, describe_dump, write_manifest
from app.commands.data_folder import PREFIX, TIERS, tier_urls, use_settings_of
from app.commands.failure import CommandFailed
from app.commands.options import DEFAULT_DATA, DataOption
from app.commands.postgres_tools import run_tool


@dataclass(frozen=True, slots=True)
class _Source:
    url: str
    is_backup_role: bool  # passes row security; the owner must ask for its own policy instead


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder to write into.", show_default=False)],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write the three tiers into a new folder, with a manifest of sizes and SHA-256. The servers go on working.

    Uses PENGUINMAILS_<TIER>_BACKUP_URL (the role penguinmails_backup), else PENGUINMAILS_<TIER>_OWNER_URL. The keys in
    PENGUINMAILS_MASTER_KEYS are NOT part of it: without them the mailbox passwords inside cannot be read."""
    use_settings_of(data, as_operator=True)
    urls = _urls()
    partial = folder.with_name(folder.name + ".partial")
    _make_new(folder, partial)
    try:
        dumps = [_dump(tier, urls[tier], partial) for tier in TIERS]  # OLTP first: what it names in Content is older
        write_manifest(partial, Manifest(made_at=datetime.now(UTC).isoformat(timespec="seconds"), dumps=tuple(dumps)))
        partial.rename(folder)
    except CommandFailed:
        shutil.rmtree(partial)  # so that the next attempt needs no cleaning first
        raise
    for dump in dumps:
        typer.echo(f"{dump.tier}: {dump.size_bytes:,} bytes, SHA-256 {dump.sha256}")
    typer.echo(f"Written to {folder}. Keep PENGUINMAILS_MASTER_KEYS too, elsewhere.")


def _dump(tier: str, source: _Source, partial: Path) -> DumpFile:
    """Raises CommandFailed. Large objects are left out: we have none, and one that the app role made could not be read."""
    file = partial / f"{tier}.dump"
    file.touch(mode=0o600)
    row_security = [] if source.is_backup_role else ["--enable-row-security"]
    run_tool("pg_dump", ["--format=custom", "--no-blobs", f"--file={file}", *row_security], url=source.url)
    return describe_dump(tier, file)


def _urls() -> dict[str, _Source]:
    by_backup, by_owner = tier_urls("BACKUP"), tier_urls("OWNER")
    sources = {tier: _Source(url, is_backup_role=False) for tier, url in by_owner.items()}
    sources |= {tier: _Source(url, is_backup_role=True) for tier, url in by_backup.items()}
    missing = [f"{PREFIX}{tier.upper()}_BACKUP_URL" for tier in TIERS if tier not in sources]
    if missing:
        raise CommandFailed(f"Not set: {', '.join(missing)}. Start `penguinmails up` once, or name your servers.")
    return sources


def _make_new(folder: Path, partial: Path) -> None:
    """Only a whole backup ever has the folder's own name."""
    if folder.exists():
        raise CommandFailed(f"{folder} exists already; name a new folder.")
    if partial.exists():
        raise CommandFailed(f"{partial} is left over from an interrupted backup; delete it and start again.")
    try:
        partial.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise CommandFailed(f"Cannot make {partial}: {error.strerror}.") from error
