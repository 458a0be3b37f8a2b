"""Message-IDs and return paths: the same for the same message, readable back, not forgeable, not movable."""

from uuid import UUID

import pytest

from app.core.ids import new_id
from app.outreach.rules.message_identity import (
    MessageIdentity,
    message_id_for,
    parse_message_id,
    parse_return_path,
    return_path_for,
)

TENANT = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
MESSAGE = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
KEY = b"k" * 32
EXPECTED = "<agequxnmsz3uxpgowmbatguala.agequxnmsz3uxpgowmbatguak4@acme.example>"


def test_a_message_id_is_a_function_of_the_message_and_reads_back() -> None:
    value = message_id_for(tenant_id=TENANT, message_id=MESSAGE, domain="acme.example")

    assert value == EXPECTED
    assert value == message_id_for(tenant_id=TENANT, message_id=MESSAGE, domain="acme.example")
    expected = MessageIdentity(tenant_id=TENANT, message_id=MESSAGE, domain="acme.example")
    for form in (value, value.strip("<>"), value.upper(), f" {value} "):
        assert parse_message_id(form) == expected


@pytest.mark.parametrize("value", ["", "<x@y>", "<a.b@acme.example>", "<" + "a" * 26 + "@acme.example>", "<>"])
def test_a_message_id_of_others_is_none_of_ours(value: str) -> None:
    assert parse_message_id(value) is None


def test_a_return_path_names_the_message_and_reads_back_in_any_case() -> None:
    path = return_path_for(mailbox_address="alice@acme.example", tenant_id=TENANT, message_id=MESSAGE, key=KEY)

    assert path.startswith("alice+b")
    assert path.endswith("@acme.example")
    assert len(path.partition("@")[0]) <= 64
    assert path == return_path_for(mailbox_address="alice@acme.example", tenant_id=TENANT, message_id=MESSAGE, key=KEY)
    for form in (path, path.upper(), f"<{path}>"):
        assert parse_return_path(form, tenant_id=TENANT, key=KEY) == MESSAGE


def test_a_return_path_of_another_tenant_key_or_message_is_refused() -> None:
    path = return_path_for(mailbox_address="alice@acme.example", tenant_id=TENANT, message_id=MESSAGE, key=KEY)
    at = path.index("+b") + 5
    forged = path[:at] + ("a" if path[at] != "a" else "b") + path[at + 1 :]

    assert parse_return_path(path, tenant_id=new_id(), key=KEY) is None
    assert parse_return_path(path, tenant_id=TENANT, key=b"x" * 32) is None
    assert parse_return_path(forged, tenant_id=TENANT, key=KEY) is None
    assert parse_return_path("alice@acme.example", tenant_id=TENANT, key=KEY) is None


def test_a_long_local_part_keeps_its_plain_address() -> None:
    longest = "a" * 31 + "@acme.example"
    too_long = "a" * 32 + "@acme.example"

    assert len(return_path_for(mailbox_address=longest, tenant_id=TENANT, message_id=MESSAGE, key=KEY)) == 64 + 13
    assert return_path_for(mailbox_address=too_long, tenant_id=TENANT, message_id=MESSAGE, key=KEY) == too_long
