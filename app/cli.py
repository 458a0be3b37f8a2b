"""The command `penguinmails`. Each command is a module of `app.commands`, loaded only when it is asked for, so that
`--help` is instant and `demo` (a client) loads nothing of the server."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Final, NamedTuple

import typer
from rich.console import Console

from app.commands.failure import CommandFailed
from app.core.settings import SettingsInvalid
from app.embedded.errors import EmbeddedError

LOCAL: Final = "On this machine"
PROCESSES: Final = "Processes of a real installation"
DATABASE: Final = "Data"
CHECKOUT: Final = "In a checkout"


class Entry(NamedTuple):
    """One command: what `--help` says of it. Its code is `app.commands.<name>`, function `<name>`."""

    panel: str
    help: str


COMMANDS: Final[dict[str, Entry]] = {
    "up": Entry(LOCAL, "Run everything here: PostgreSQL, Redis, API, relay, workers and the sandbox."),
    "demo": Entry(LOCAL, "Send to the contacts of a CSV file through a running `up`, and show how it went."),
    "doctor": Entry(LOCAL, "Say in sentences what is wrong with this set-up."),
    "serve": Entry(PROCESSES, "Run the API."),
    "work": Entry(PROCESSES, "Run a worker."),
    "relay": Entry(PROCESSES, "Run the relay and scheduler; a second one stands by."),
    "sandbox": Entry(PROCESSES, "Run the sandbox: an outside world that receives mail and sends none."),
    "bootstrap": Entry(DATABASE, "Make the roles and databases on a real PostgreSQL server, as its administrator."),
    "migrate": Entry(DATABASE, "Bring the three tiers up to date, as their owner."),
    "backup": Entry(DATABASE, "Write the three tiers into a folder. Redis is disposable and not part of it."),
    "restore": Entry(DATABASE, "Read the three tiers back from a folder made by `backup`."),
    "schema": Entry(CHECKOUT, "Write schema.graphql, or check that it is up to date."),
    "test": Entry(CHECKOUT, "Format, lint, types, architecture, schema and all tests."),
    "bench": Entry(CHECKOUT, "Measure, each figure as a ratio within one run."),
}


def _placeholder() -> None:
    raise AssertionError("only its help is shown")


def command_module(name: str) -> ModuleType:
    """The module that holds a command's function."""
    return import_module(f"app.commands.{name}")


def build(wanted: str | None) -> typer.Typer:
    """The whole command line, with the code of the wanted command only."""
    cli = typer.Typer(
        name="penguinmails",
        help="Cold-email infrastructure for many tenants: from contact list to delivered mail, live.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(_nothing_before_a_command)
    for name, entry in COMMANDS.items():
        function = getattr(command_module(name), name) if name == wanted else _placeholder
        described = function.__doc__ if name == wanted and function.__doc__ else entry.help
        cli.command(name, help=described, rich_help_panel=entry.panel)(function)
    return cli


def _nothing_before_a_command() -> None:
    """All options belong to a command."""


def main() -> None:
    """Entry point. Expected failures are one sentence on stderr and exit code 1; Ctrl-C is 130, as shells expect."""
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        build(wanted)(prog_name="penguinmails")
    except (CommandFailed, EmbeddedError, SettingsInvalid) as failure:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(failure), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:  # also in the second or two in which a command's modules load
        sys.exit(130)


if __name__ == "__main__":
    main()
