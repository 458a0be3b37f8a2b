"""Addresses, names, slugs and networks, as people type them."""

import pytest

from app.core.errors import DomainError
from app.identity.rules.addresses import address_key, read_address
from app.identity.rules.names import read_lines, read_name, read_slug, slug_of
from app.identity.rules.networks import host_of, network_of, remembered

PATH = ("input", "name")


@pytest.mark.parametrize(
    ("typed", "email", "key"),
    [
        (" Ada@Engines.Example ", "Ada@engines.example", "ada@engines.example"),
        ("ADA@ENGINES.EXAMPLE", "ADA@engines.example", "ada@engines.example"),
        ("zoë@bücher.example", "zoë@bücher.example", "zoë@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("a+tag@engines.example", "a+tag@engines.example", "a+tag@engines.example"),
    ],
)
def test_addresses_have_one_key_whatever_their_case_or_form(typed: str, email: str, key: str) -> None:
    read = read_address(typed)

    assert (read.email, read.key) == (email, key)
    assert address_key(typed) == key


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "ada",
        "ada@",
        "@engines.example",
        "a b@engines.example",
        "ada@engines.example\r\nBcc: x@y.example",
        "ada@localhost",
        "ada@[127.0.0.1]",
        "=?utf-8?q?ada?=@engines.example\n",
        "x" * 300 + "@engines.example",
        "ada\x00@engines.example",
    ],
)
def test_what_is_no_address_is_refused_and_still_has_a_key_that_no_user_has(typed: str) -> None:
    with pytest.raises(DomainError):
        read_address(typed)

    assert address_key(typed).startswith("?")


def test_names_are_normalised() -> None:
    assert read_name("  Zoe\u0308   B  ", PATH) == "Zoë B"
    assert read_name("O'Brien & Söhne, 東京 👩‍🚀", PATH) == "O'Brien & Söhne, 東京 👩‍🚀"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "a\r\nBcc: x",
        "a\x00b",
        "a\tb",
        "=?utf-8?q?a=0d=0aBcc:_x?=",
        "a\u2028b",
        "a\u202eb",
        "\ud800",
        "x" * 121,
    ],
    ids=ascii,
)
def test_names_that_could_forge_a_line_are_refused(name: str) -> None:
    with pytest.raises(DomainError) as refused:
        read_name(name, PATH)

    assert refused.value.path == PATH


def test_lines_are_trimmed_and_bounded() -> None:
    assert read_lines(" a \r\n\n b\u2029c", PATH, what="address", longest=10) == "a\nb\nc"
    assert read_lines(" \n ", PATH, what="address", longest=10) == ""
    for wrong in ("x" * 11, "a\x00b", "a\x1bb"):
        with pytest.raises(DomainError):
            read_lines(wrong, PATH, what="address", longest=10)


@pytest.mark.parametrize(
    ("name", "number", "slug"),
    [
        ("Zoë & Co.", 1, "zoe-co"),
        ("東京", 1, "workspace"),
        ("東京", 2, "workspace-2"),
        ("A" * 80, 1, "a" * 63),
        ("A" * 80, 12, "a" * 60 + "-12"),
    ],
)
def test_slugs_are_made_from_names(name: str, number: int, slug: str) -> None:
    assert slug_of(name, number=number) == slug
    assert read_slug(slug, PATH) == slug


@pytest.mark.parametrize("slug", ["", "-a", "a-", "a--b", "A", "a b", "ä", "a" * 64, "a\n"])
def test_wrong_slugs_are_refused(slug: str) -> None:
    with pytest.raises(DomainError):
        read_slug(slug, PATH)


@pytest.mark.parametrize(
    ("address", "host", "network"),
    [
        ("192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("", "unknown", "unknown"),
        ("testclient", "unknown", "unknown"),
    ],
)
def test_addresses_belong_to_hosts_and_networks(address: str, host: str, network: str) -> None:
    assert (host_of(address), network_of(address)) == (host, network)


def test_the_last_eight_networks_are_remembered_newest_first() -> None:
    networks: list[str] = []
    for number in [*range(10), 5]:
        networks = remembered(networks, f"10.0.{number}.0/24")

    assert networks == [f"10.0.{number}.0/24" for number in (5, 9, 8, 7, 6, 4, 3, 2)]
    assert remembered(networks, "unknown") == networks
