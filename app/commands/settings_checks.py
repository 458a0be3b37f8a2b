"""What `doctor` can tell without a server: the interpreter, the settings and the modes of secret files."""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.commands.finding import Finding, note, ok, wrong
from app.core.settings import Settings

OLDEST_PYTHON: Final = (3, 11)
SECRET_FILES: Final = ("secrets.json", "environment.json", "endpoints.json", "postgres.password", "redis.password")


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    named = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return wrong(f"Python is {named}; 3.11 or newer is needed.")
    return ok(f"Python is {named}.")


def check_settings(settings: Settings) -> Iterator[Finding]:
    yield ok(f"The settings are valid, for {settings.environment}.")
    yield from _check_doors(settings)
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        yield wrong("PENGUINMAILS_TLS_CERTIFICATE and PENGUINMAILS_TLS_KEY are set together or not at all.")
    files = (
        ("TLS_CERTIFICATE", settings.tls_certificate),
        ("TLS_KEY", settings.tls_key),
        ("TRUST_CA_FILE", settings.trust_ca_file),
    )
    for name, file in files:
        if file is not None and not file.is_file():
            yield wrong(f"PENGUINMAILS_{name} names {file}, which is not there.")
    if settings.system_smtp_url is None:
        yield note("PENGUINMAILS_SYSTEM_SMTP_URL is not set: invitations and verification mails cannot be sent.")


def _check_doors(settings: Settings) -> Iterator[Finding]:
    """What `up` opens for the sandbox must not be open in production."""
    if settings.environment != "production":
        yield note("This is a development set-up; PENGUINMAILS_ENVIRONMENT=production is stricter.")
        return
    if settings.egress_allow:
        allowed = ", ".join(settings.egress_allow)
        yield wrong(f"PENGUINMAILS_EGRESS_ALLOW lets tenants reach {allowed}, which is for the sandbox only: unset it.")
    if settings.trust_ca_file is not None:
        yield wrong("PENGUINMAILS_TRUST_CA_FILE makes mail servers with a private authority trusted: unset it.")
    if settings.clock_start is not None or settings.clock_speed != 1.0:
        yield wrong("PENGUINMAILS_CLOCK_START or PENGUINMAILS_CLOCK_SPEED makes time unreal: unset it.")
    if urlsplit(settings.public_url).scheme != "https":
        yield wrong(
            f"PENGUINMAILS_PUBLIC_URL is {settings.public_url}: unsubscribe links must be https (RFC 8058 section 3.1)."
        )


def check_secret_files(data: Path) -> Iterator[Finding]:
    """Files of the data folder that hold secrets are for their owner only."""
    present = [data / name for name in SECRET_FILES if (data / name).exists()]
    open_ones = [file for file in present if stat.S_IMODE(file.stat().st_mode) & 0o077]
    for file in open_ones:
        yield wrong(f"{file} can be read by others: chmod 600 {file}")
    if present and not open_ones:
        yield ok(f"The {len(present)} secret files in {data} are for their owner only.")
