"""`demo`: the whole job through the public API of a running `up`."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import DEFAULT_DATA, DataOption
from app.demo.main import run


def demo(
    contacts: Annotated[
        Path,
        typer.Option(
            "--contacts", metavar="FILE.csv", exists=True, dir_okay=False, help="The contacts.", show_default=False
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object instead of a table.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Import the contacts into a new workspace, launch a campaign to them, watch it arrive in the sandbox, and end with a
    table of what became of every row. It is a client: it uses the public GraphQL API and nothing else."""
    raise typer.Exit(run(contacts=contacts, data=data, as_json=as_json))
