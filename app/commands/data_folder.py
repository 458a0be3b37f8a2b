"""The data folder of `up`: its secrets, the settings of what runs from it, and the endpoints that clients read."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from app.commands.failure import CommandFailed
from app.embedded.private_files import FolderLock, write_private
from db.core.bootstrap import ROLES

TIERS: Final = ("oltp", "content", "olap")
PREFIX: Final = "PENGUINMAILS_"
# What only an operator's command may use; never handed to the processes that serve.
OPERATOR_VARIABLES: Final = frozenset(
    f"{PREFIX}{tier.upper()}_{who}_URL" for tier in TIERS for who in ("OWNER", "BACKUP")
)


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    """Made once per data folder. Losing them makes the mailbox passwords in the database unreadable."""

    master_key: str
    token_key: str
    passwords: dict[str, str]
    demo_password: str

    @classmethod
    def generate(cls) -> "LocalSecrets":
        return cls(
            master_key=secrets.token_hex(32),
            token_key=secrets.token_hex(32),
            passwords={role: secrets.token_hex(24) for role in ROLES},
            demo_password=secrets.token_urlsafe(12),
        )


class DataFolder:
    """Files with mode 0600 in a folder that is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @property
    def endpoints_file(self) -> Path:
        return self.path / "endpoints.json"

    @property
    def environment_file(self) -> Path:
        return self.path / "environment.json"

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.json"

    def make(self) -> None:
        """Raises CommandFailed when the folder cannot be made or written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CommandFailed(f"Cannot make the data folder {self.path}: {error.strerror}.") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise CommandFailed(
                f"The data folder {self.path} is not writable for this account; name another by --data."
            )

    def lock(self) -> FolderLock:
        """Held while `up` runs on this folder."""
        return FolderLock(
            self.path / "up.lock",
            busy=f"`penguinmails up` is running on {self.path} already; stop it first, or name another folder by --data.",
        )

    def secrets(self) -> LocalSecrets:
        """Those of this folder, made at the first call. Raises CommandFailed when the file is damaged."""
        try:
            return LocalSecrets(**json.loads(self.secrets_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            made = LocalSecrets.generate()
            write_private(self.secrets_file, json.dumps(asdict(made), indent=2) + "\n")
            return made
        except (ValueError, TypeError) as error:
            raise CommandFailed(f"{self.secrets_file} is damaged ({error}); restore it from your backup.") from error

    def write_environment(self, variables: Mapping[str, str]) -> None:
        write_private(self.environment_file, json.dumps(dict(variables), indent=2) + "\n")

    def write_endpoints(self, endpoints: Mapping[str, str]) -> None:
        write_private(self.endpoints_file, json.dumps(dict(endpoints), indent=2) + "\n")

    def forget_endpoints(self) -> None:
        """Nothing listens any more: a client then says so, instead of trying."""
        self.endpoints_file.unlink(missing_ok=True)

    def endpoints(self) -> dict[str, str]:
        """Raises CommandFailed when nothing was ever started from this folder."""
        return self._read(self.endpoints_file)

    def environment(self) -> dict[str, str]:
        """The variables of the last `up`. Raises CommandFailed when nothing was ever started from this folder."""
        return self._read(self.environment_file)

    def _read(self, file: Path) -> dict[str, str]:
        try:
            read: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise CommandFailed(
                f"There is no {file}. Start `penguinmails up` first, or name its data folder by --data."
            ) from error
        except ValueError as error:
            raise CommandFailed(f"{file} is damaged ({error}); start `penguinmails up` again.") from error
        return read


def use_settings_of(data: Path, *, as_operator: bool = False) -> None:
    """Puts the settings of this data folder into os.environ, unless the environment names a database itself.

    So a real installation, which sets PENGUINMAILS_OLTP_URL, never mixes with a folder that lies about."""
    folder = DataFolder(data)
    if any(f"{PREFIX}{tier.upper()}_URL" in os.environ for tier in TIERS) or not folder.environment_file.exists():
        return
    for name, value in folder.environment().items():
        if as_operator or name not in OPERATOR_VARIABLES:
            os.environ.setdefault(name, value)


def tier_urls(who: str) -> dict[str, str]:
    """PENGUINMAILS_<TIER>_<who>_URL by tier, of those that are set; `who` is OWNER or BACKUP."""
    found = {tier: os.environ.get(f"{PREFIX}{tier.upper()}_{who}_URL") for tier in TIERS}
    return {tier: url for tier, url in found.items() if url}
