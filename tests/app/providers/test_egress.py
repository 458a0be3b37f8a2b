"""EgressGuard: no way of writing a private address gets through, and what is listed does."""

import ipaddress
import re

import pytest

from app.providers.egress import EgressGuard, EgressRefused, HostNotFound, is_public

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::0808:0808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:0808:0808::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "3fff::1",
    "5f00::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "142.250.1.26", "2a00:1450:4001::1a", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_or_tunnelled_address_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_address_is_refused_as_a_literal_and_behind_a_name(address: str) -> None:
    async def resolve(name: str) -> list[str]:
        return ["8.8.8.8", address]

    with pytest.raises(EgressRefused):
        await EgressGuard().addresses(address, 587)
    with pytest.raises(EgressRefused, match=re.escape("smtp.lead.example has the address")):
        await EgressGuard(resolve=resolve).addresses("smtp.lead.example", 587)


ODD_FORMS = [
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.01",
    "１２７.0.0.1",
    "127。0。0。1",
    "①27.0.0.1",
]
ODD_FORMS += ["127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "8.8.8", "0x", "1.2.3.4.5", "example.0x7f"]


@pytest.mark.parametrize("host", ODD_FORMS)
async def test_odd_forms_of_addresses_are_refused_before_anything_looks_them_up(host: str) -> None:
    async def resolve(name: str) -> list[str]:
        raise AssertionError(f"{name} was looked up")

    with pytest.raises(EgressRefused):
        await EgressGuard(resolve=resolve).addresses(host, 587)


@pytest.mark.parametrize(
    "host",
    ["", " ", "a b", "a/b", "a@b", "a:b", "http://x", "-x.example", "x" * 64 + ".example", "a\r\nb", "a\0b", "a%b"],
)
async def test_what_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(EgressRefused):
        await EgressGuard().addresses(host, 587)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST."])
async def test_localhost_is_refused_by_its_address(host: str) -> None:
    with pytest.raises(EgressRefused, match="not a public one"):
        await EgressGuard(["localhost:2525"]).addresses(host, 587)


async def test_a_listed_host_and_port_may_be_anywhere_and_nothing_beside_it() -> None:
    guard = EgressGuard(["localhost:2525", "127.0.0.1:2526", "[::1]:2527"])

    assert ipaddress.ip_address("127.0.0.1") in await guard.addresses("LocalHost", 2525)
    assert await guard.addresses("127.0.0.1", 2526) == [ipaddress.ip_address("127.0.0.1")]
    assert await guard.addresses("[::1]", 2527) == [ipaddress.ip_address("::1")]
    assert guard.allows("localhost", 2525)
    assert not guard.allows("localhost", 2526)
    for host, port in (("127.0.0.1", 2525), ("127.0.0.2", 2526), ("127.0.0.1", 2527)):
        with pytest.raises(EgressRefused):
            await guard.addresses(host, port)


async def test_a_name_is_resolved_once_and_its_addresses_come_checked_and_single() -> None:
    asked = []

    async def resolve(name: str) -> list[str]:
        asked.append(name)
        return ["8.8.8.8", "2606:4700::1111", "8.8.8.8"]

    found = await EgressGuard(resolve=resolve).addresses("Smtp.Müller.example", 587)

    assert [str(each) for each in found] == ["8.8.8.8", "2606:4700::1111"]
    assert asked == ["smtp.xn--mller-kva.example"]


async def test_a_name_without_an_address_says_so() -> None:
    with pytest.raises(HostNotFound, match=re.escape("nowhere.invalid has no address: check its name")):
        await EgressGuard().addresses("nowhere.invalid", 587)


@pytest.mark.parametrize("entry", ["localhost", "localhost:", ":x", "localhost:0", "localhost:65536", "localhost:smtp"])
def test_a_listed_entry_that_is_no_host_and_port_stops_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        EgressGuard([entry])
