"""`work`: a worker process."""

from actors.main import run_workers

from app.commands.data_folder import use_settings_of
from app.commands.options import DEFAULT_DATA, DataOption
from app.core.logging import configure_logging
from app.core.settings import read_settings


def work(data: DataOption = DEFAULT_DATA) -> None:
    use_settings_of(data)
    settings = read_settings()
    configure_logging(settings.log_level)
    run_workers(settings)
