"""The account that embedded servers run as. PostgreSQL refuses uid 0, so root lends it an unprivileged account that exists already."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import EmbeddedError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """True when this account may pass through `folder` and all its parents."""
        return self._succeeds("test", "-x", str(folder))

    def can_run(self, program: Path) -> bool:
        """True when this account may execute the file."""
        return self._succeeds("test", "-x", str(program))

    def give(self, folder: Path) -> None:
        """Makes an existing folder this account's own and closed to everyone else."""
        os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def _succeeds(self, *command: str) -> bool:
        try:
            done = subprocess.run(
                command, cwd="/", check=False, capture_output=True, user=self.uid, group=self.gid, extra_groups=[]
            )
        except PermissionError as error:
            raise EmbeddedError(
                f"PostgreSQL must not run as root, and this process may not switch to the account {self.name} ({error}). "
                "Start as a normal user, or set PENGUINMAILS_OLTP_URL and its siblings to a server of your own."
            ) from error
        return done.returncode == 0


def unprivileged_account() -> Account | None:
    """The account to drop to: None when this process is not root and so needs none.

    Raises EmbeddedError for a root without any such account."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL must not run as root, and this machine has neither an account `postgres` nor `nobody`. "
        "Start as a normal user."
    )


def without_postgres_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without PG* variables (they would redirect the programs) and with a neutral locale."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def copy_for(account: Account, *, sources: list[Path], target: Path) -> None:
    """Copies package folders side by side below `target`, once, readable by everyone.

    They are copied under another name first, so that an interrupted copy is never taken for a whole one."""
    for source in sources:
        final = target / source.name
        if final.exists():
            continue
        partial = target / f"{source.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial, symlinks=True)
        partial.rename(final)
    target.chmod(0o755)
    if not account.can_enter(target):
        raise EmbeddedError(f"The account {account.name} cannot enter {target}.")
