"""Options that every command takes."""

from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_DATA: Final = Path(".penguinmails")

DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="PENGUINMAILS_DATA",
        metavar="DIR",
        help="Folder of the local servers' data, of secrets and of endpoints.json.",
        show_default=True,
    ),
]
