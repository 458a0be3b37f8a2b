"""`bootstrap`: roles and databases on a real PostgreSQL server."""

import asyncio
from typing import Annotated

import asyncpg
import typer

from app.commands.data_folder import DataFolder
from app.commands.failure import CommandFailed
from app.commands.local_settings import database_variables
from app.commands.options import DEFAULT_DATA, DataOption
from db.core.bootstrap import bootstrap as make_roles


def bootstrap(
    admin_url: Annotated[
        str,
        typer.Option("--admin-url", help="postgresql:// URL of an administrator of the server.", show_default=False),
    ],
    save: Annotated[
        bool,
        typer.Option("--save", help="Write the settings into the data folder instead, for commands with this --data."),
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make the four roles and three databases, as an administrator of the server, and print the settings to keep.
    Their passwords and keys are kept in the data folder, so that a second run gives the same."""
    folder = DataFolder(data)
    folder.make()
    secrets = folder.secrets()
    try:
        asyncio.run(make_roles(admin_url, secrets.passwords))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(f"The server could not be prepared: {error}") from error
    variables = database_variables(admin_url, secrets.passwords)
    variables["PENGUINMAILS_MASTER_KEYS"] = f"1:{secrets.master_key}"
    variables["PENGUINMAILS_TOKEN_KEY"] = secrets.token_key
    if save:
        folder.write_environment(variables)
        typer.echo(f"The settings are in {folder.environment_file}.", err=True)
        return
    for name, value in variables.items():
        typer.echo(f"{name}={value}")
    typer.echo(
        "Keep these as secrets. The *_OWNER_URL and *_BACKUP_URL are for `migrate`, `backup` and `restore` only.",
        err=True,
    )
