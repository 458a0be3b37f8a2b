"""`schema`: the committed schema.graphql."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.checkout import checkout_root
from app.commands.failure import CommandFailed
from app.commands.options import DEFAULT_DATA, DataOption
from graph.schema import schema as graphql_schema


def schema(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when the file is not up to date.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    file = checkout_root() / "schema.graphql"
    wanted = graphql_schema.as_str().rstrip() + "\n"
    if not check:
        file.write_text(wanted, encoding="utf-8")
        typer.echo(f"wrote {file}")
    elif _committed(file) != wanted:
        raise CommandFailed("schema.graphql is not what the code says. Run `penguinmails schema` and commit the file.")
    else:
        typer.echo("schema.graphql is up to date")


def _committed(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
