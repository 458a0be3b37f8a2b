"""`serve`: the API process."""

import ssl
from collections.abc import Callable
from typing import Annotated

import typer
import uvicorn

from app.commands.data_folder import use_settings_of
from app.commands.failure import CommandFailed
from app.commands.options import DEFAULT_DATA, DataOption
from app.core.logging import configure_logging
from app.core.settings import Settings, read_settings
from app.http.slow_headers import PatientHttp

GRACE_SECONDS = 8
LARGEST_FRAME_BYTES = 256 * 1024


def serve(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of PENGUINMAILS_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, instead of PENGUINMAILS_PORT.")] = None,
) -> None:
    use_settings_of(data)
    settings = read_settings()
    _check_tls(settings)
    configure_logging(settings.log_level)
    uvicorn.run(
        "app.main:serve_app",
        factory=True,
        host=host or settings.host,
        port=port or settings.port,
        loop="uvloop",
        http=PatientHttp,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ws="websockets-sansio",
        ws_max_size=LARGEST_FRAME_BYTES,
        ws_per_message_deflate=False,  # events are small: deflate would cost more memory and time than it saves bytes
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_context_factory=_only_tls_1_3 if settings.tls_certificate else None,
    )


def _check_tls(settings: Settings) -> None:
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise CommandFailed("PENGUINMAILS_TLS_CERTIFICATE and PENGUINMAILS_TLS_KEY are set together or not at all.")


def _only_tls_1_3(_config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
