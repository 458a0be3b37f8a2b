"""Networks: how far addresses count as one place, for limits and for places that a person has signed in from."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

KNOWN_NETWORKS = 8
UNKNOWN = "unknown"


def host_of(address: str) -> str:
    """What one subscriber line has: an IPv4 address, an IPv6 /64 (RFC 6177). `unknown` for what is no address."""
    return _within(address, 32, 64)


def network_of(address: str) -> str:
    """What one site or provider pool has: an IPv4 /24, an IPv6 /48."""
    return _within(address, 24, 48)


def remembered(networks: list[str], network: str) -> list[str]:
    """`networks` with `network` in front; the oldest go. An unknown place is never remembered."""
    if network == UNKNOWN:
        return networks
    return [network, *(each for each in networks if each != network)][:KNOWN_NETWORKS]


def _within(address: str, bits_of_4: int, bits_of_6: int) -> str:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = bits_of_4 if isinstance(parsed, IPv4Address) else bits_of_6
    return str(ip_network((parsed.packed, bits), strict=False))
