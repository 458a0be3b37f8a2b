"""What a backup holds, with the size and SHA-256 of each file, so that a damaged copy is noticed before it is restored."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from app.commands.failure import CommandFailed
from app.embedded.private_files import write_private

NAME: Final = "manifest.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One tier's dump in pg_dump's custom format."""

    tier: str
    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made_at` is ISO 8601 in UTC."""

    made_at: str
    dumps: tuple[DumpFile, ...]


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def describe_dump(tier: str, file: Path) -> DumpFile:
    return DumpFile(tier=tier, file=file.name, size_bytes=file.stat().st_size, sha256=sha256_of(file))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_private(folder / NAME, json.dumps({"format": FORMAT, **asdict(manifest)}, indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Raises CommandFailed when the folder is no backup, or one of another format."""
    try:
        read = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if read["format"] != FORMAT:
            raise CommandFailed(f"{folder} is a backup of format {read['format']}; this version reads format {FORMAT}.")
        dumps = tuple(DumpFile(**each) for each in read["dumps"])
        return Manifest(made_at=read["made_at"], dumps=dumps)
    except FileNotFoundError as error:
        raise CommandFailed(f"{folder} is not a backup: it has no {NAME}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailed(f"{folder / NAME} is damaged ({error!r}).") from error


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compares every file with its size and hash. Raises CommandFailed that names each that differs."""
    problems: list[str] = []
    for dump in manifest.dumps:
        file = folder / dump.file
        if Path(dump.file).name != dump.file:
            problems.append(f"{dump.file} is not a plain file name")
        elif not file.is_file():
            problems.append(f"{dump.file} is missing")
        elif file.stat().st_size != dump.size_bytes:
            problems.append(f"{dump.file} has {file.stat().st_size} bytes instead of {dump.size_bytes}")
        elif sha256_of(file) != dump.sha256:
            problems.append(f"{dump.file} is not what was backed up (its SHA-256 differs)")
    if problems:
        raise CommandFailed(f"Nothing was restored: {'; '.join(problems)}.")
