"""`work`: a worker process."""

from typing import Annotated

import typer

from actors.main import all_handlers, run_workers
from app.commands.data_folder import use_settings_of
from app.commands.failure import CommandFailed
from app.commands.options import DEFAULT_DATA, DataOption
from app.core.logging import configure_logging
from app.core.settings import read_settings


def work(
    queue: Annotated[
        list[str] | None, typer.Option(help="Do only the jobs of this queue; may be given several times. Default: all.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Run a worker. SIGTERM lets running jobs finish within PENGUINMAILS_DRAIN_SECONDS."""
    use_settings_of(data)
    settings = read_settings()
    configure_logging(settings.log_level)
    unknown = set(queue or ()) - set(all_handlers().queues)
    if unknown:
        known = ", ".join(sorted(all_handlers().queues))
        raise CommandFailed(f"There is no queue {', '.join(sorted(unknown))}; the queues are {known}.")
    run_workers(settings, frozenset(queue) if queue else None)
