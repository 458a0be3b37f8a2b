"""`pg_dump` and `pg_restore`: those of the embedded package, else those on the PATH."""

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from app.commands.failure import CommandFailed
from app.embedded.accounts import without_postgres_variables
from app.embedded.errors import EmbeddedError
from app.embedded.postgres import postgres_programs


def find_tool(name: str) -> Path:
    """Raises CommandFailed when there is none."""
    try:
        embedded = postgres_programs() / name
        if embedded.is_file():
            return embedded
    except EmbeddedError:
        pass  # a production installation has no embedded server: its own client tools are next
    found = shutil.which(name)
    if found is None:
        raise CommandFailed(
            f"There is no {name} here. Install PostgreSQL's client programs (Debian: apt install postgresql-client), "
            "in the server's version or newer, or penguinmails[embedded]."
        )
    return Path(found)


def run_tool(name: str, options: list[str], *, url: str) -> None:
    """Runs it against the database at `url`; the password travels in the environment, where no process list shows it.

    Raises CommandFailed with the tool's own words."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    without_password = urlunsplit(parts._replace(netloc=f"{parts.username}@{address}" if parts.username else address))
    environment = without_postgres_variables(os.environ) | {"PGPASSWORD": parts.password or ""}
    done = subprocess.run(
        [str(find_tool(name)), f"--dbname={without_password}", *options],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{name} failed: {done.stderr.strip() or f'exit code {done.returncode}'}")
