"""`relay`: the relay and scheduler process. One leads, any other stands by."""

from actors.main import run_relay
from app.commands.data_folder import use_settings_of
from app.commands.options import DEFAULT_DATA, DataOption
from app.core.logging import configure_logging
from app.core.settings import read_settings


def relay(data: DataOption = DEFAULT_DATA) -> None:
    use_settings_of(data)
    settings = read_settings()
    configure_logging(settings.log_level)
    run_relay(settings)
