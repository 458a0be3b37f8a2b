"""`sandbox`: an outside world on loopback."""

from typing import Annotated

import typer

from app.commands.data_folder import DataFolder, use_settings_of
from app.commands.options import DEFAULT_DATA, DataOption
from app.core.clock import Clock
from app.core.logging import configure_logging
from app.core.settings import read_settings
from app.sandbox.main import run_sandbox


def sandbox(
    smtp_port: Annotated[int, typer.Option(help="Submission with STARTTLS.")] = 2587,
    smtps_port: Annotated[int, typer.Option(help="Submission with implicit TLS.")] = 2465,
    http_port: Annotated[int, typer.Option(help="Where it shows what it received.")] = 8025,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Receive mail like the world's providers do, on loopback only: accept, greylist, refuse, stall, bounce, complain. The
    ending of the local part chooses, such as anna+unknown-user@any.example."""
    use_settings_of(data)
    settings = read_settings()
    configure_logging(settings.log_level)
    folder = DataFolder(data)
    folder.make()
    received = folder.path / "sandbox"
    received.mkdir(exist_ok=True, mode=0o700)
    clock = Clock(settings.clock_start, speed=settings.clock_speed, epoch_at=settings.clock_epoch_at)
    run_sandbox(received, smtp_port=smtp_port, smtps_port=smtps_port, http_port=http_port, clock=clock)
