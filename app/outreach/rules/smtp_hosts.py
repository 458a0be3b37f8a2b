"""What can be said about the SMTP server that a person names before anything is connected: shape and obvious refusals."""

import ipaddress
import re
from collections.abc import Iterable

from app.core.errors import Invalid

_NAME = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]", re.ASCII
)
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain")
_SUBMISSION_PORTS = frozenset({25, 465, 587, 2465, 2525, 2587})
_ALWAYS_REFUSED = "Name the public host of your mail provider, such as smtp.provider.example."


class ServerNotAllowed(Invalid):
    """A server that mail is never submitted to, or a way to reach it that is not safe."""


def check_server(host: str, port: int, *, plain: bool, allow: Iterable[str]) -> None:
    """Refuses at once what cannot be right; what needs DNS is checked again, address by address, when connecting.

    `allow` holds the operator's host:port pairs, which pass. Raises ServerNotAllowed.
    """
    if f"{host}:{port}" in set(allow):
        return
    if plain:
        raise ServerNotAllowed(
            "Choose IMPLICIT_TLS or STARTTLS: without TLS your password would be readable.", _at("smtpSecurity")
        )
    if port not in _SUBMISSION_PORTS:
        ports = ", ".join(str(each) for each in sorted(_SUBMISSION_PORTS))
        raise ServerNotAllowed(f"Mail is submitted on one of the ports {ports}.", _at("smtpPort"))
    if _literal(host) is not None:
        raise ServerNotAllowed(f"Write the server's name, not its address. {_ALWAYS_REFUSED}", _at("smtpHost"))
    if _NAME.fullmatch(host) is None or host.lower().rsplit(".", 1)[-1] in _LOCAL_NAMES:
        raise ServerNotAllowed(f"“{host[:80]}” is no public host name. {_ALWAYS_REFUSED}", _at("smtpHost"))


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the host is, where it is one in the usual spelling; odd spellings fail the name's own check."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _at(field: str) -> tuple[str, str]:
    return ("input", field)
