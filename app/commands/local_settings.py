"""The settings that `up` gives to its processes, and those that `bootstrap` prints."""

import os
from collections.abc import Mapping

from app.commands.data_folder import PREFIX, TIERS
from db.core.bootstrap import DATABASES, database_url
from db.core.migration import APP, BACKUP, OWNER, SYSTEM


def database_variables(admin_url: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Every database URL of a server that was bootstrapped with these passwords, by variable."""

    def url(tier: str, role: str) -> str:
        return database_url(admin_url, DATABASES[tier], role=role, password=passwords[role])

    variables = {f"{PREFIX}SYSTEM_URL": url("oltp", SYSTEM)}
    for tier in TIERS:
        variables[f"{PREFIX}{tier.upper()}_URL"] = url(tier, APP)
        variables[f"{PREFIX}{tier.upper()}_OWNER_URL"] = url(tier, OWNER)
        variables[f"{PREFIX}{tier.upper()}_BACKUP_URL"] = url(tier, BACKUP)
    return variables


def given_variables() -> dict[str, str]:
    """The PENGUINMAILS_* variables that the person has set; they win over everything that `up` would choose."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and name != f"{PREFIX}DATA"}
