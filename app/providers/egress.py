"""The guard of outgoing connections: a host that a tenant names is resolved once, every address is checked, and the
connection goes to the checked address. It stands here, not in app.core, because only providers open connections.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable

import idna

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Awaitable[list[str]]]

RESOLVE_SECONDS = 10.0
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC_END = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)")
_IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")
# Global by the registry, yet doors to other networks or to the cloud's own services.
_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "168.63.129.16/32",  # a cloud's host agent
        "2001::/23",  # Teredo, ORCHID and other protocol assignments (RFC 2928)
        "2002::/16",  # 6to4 (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637), newer than some Pythons
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64, local (RFC 8215)
    )
)


class EgressRefused(Exception):
    """This host may not be reached from here; the message says why."""


class HostNotFound(Exception):
    """The host has no address, or its name could not be looked up in time."""


class EgressGuard:
    """Knows which hosts may be reached: public ones, and those that the operator lists as `host:port`."""

    def __init__(self, allow: Iterable[str] = (), *, resolve: Resolve | None = None) -> None:
        self._allow = frozenset(_host_and_port(entry) for entry in allow)
        self._resolve = resolve or _look_up

    def allows(self, host: str, port: int) -> bool:
        """Whether the operator has listed this very host and port."""
        return (_ascii_host(host), port) in self._allow

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses to connect to, each of them checked. Raises EgressRefused or HostNotFound.

        One address that is not public refuses the whole host. A listed `host:port` may be anywhere; a listed
        `address:port` may be reached by any name.
        """
        name = _ascii_host(host)
        literal = _literal(name)
        if literal is not None:
            found = [literal]
        else:
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in await self._resolve(name)]
        if not found:
            raise HostNotFound(f"The host {host} has no address: check its name.")
        if (name, port) not in self._allow:
            for address in found:
                if (str(address), port) not in self._allow and not is_public(address):
                    raise EgressRefused(f"The host {host} has the address {address}, which is not a public one.")
        return list(dict.fromkeys(found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, seen through every way of writing an IPv4 in an IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _IPV6_UNICAST:
            return False
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in _REFUSED_NETWORKS)


def _ascii_host(host: str) -> str:
    """Lower case, A-labels, no brackets, no dot at the end. Raises EgressRefused."""
    name = host.strip().removeprefix("[").removesuffix("]")
    try:
        name = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise EgressRefused(f"{host!r} is not the name of a host.") from error
    return name.lower().removesuffix(".")


def _literal(name: str) -> Address | None:
    """The address when the name is one in its usual form. Raises EgressRefused for 127.1, 0x7f000001 and the like."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    if _NUMERIC_END.fullmatch(name) is not None:
        raise EgressRefused(f"{name!r} is an address in an unusual form: write it as 192.0.2.1.")
    if _HOST.fullmatch(name) is None:
        raise EgressRefused(f"{name!r} is not the name of a host.")
    return None


def _host_and_port(entry: str) -> tuple[str, int]:
    host, found, port = entry.rpartition(":")
    if not found or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{entry!r} is not host:port")
    return _ascii_host(host), int(port)


async def _look_up(name: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise HostNotFound(f"The name {name} could not be looked up within {RESOLVE_SECONDS:.0f} seconds.") from error
    except (OSError, UnicodeError) as error:
        raise HostNotFound(f"The host {name} has no address: check its name.") from error
    return [str(sockaddr[0]) for *_, sockaddr in found]
