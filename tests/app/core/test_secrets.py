"""Secrets at rest belong to their row and key version; tokens carry their tenant and give nothing away."""

import pytest

from app.core.ids import new_id
from app.core.secrets import (
    Cipher,
    SecretUnreadable,
    Token,
    decode_key,
    derived_key,
    hash_secret,
    secret_matches,
)

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_sealed_secret_opens_in_its_own_place_only() -> None:
    cipher = Cipher({1: OLD})
    tenant, row = new_id(), new_id()
    place = {"tenant_id": tenant, "table": "mailboxes", "column": "secret", "row_id": row}

    sealed = cipher.seal(b"hunter2", **place)  # type: ignore[arg-type]

    assert b"hunter2" not in sealed
    assert cipher.open(sealed, **place) == b"hunter2"  # type: ignore[arg-type]
    for changed in ({"tenant_id": new_id()}, {"row_id": new_id()}, {"table": "dkim_keys"}, {"column": "password"}):
        with pytest.raises(SecretUnreadable):
            cipher.open(sealed, **(place | changed))  # type: ignore[arg-type]


def test_every_changed_byte_is_noticed() -> None:
    cipher = Cipher({1: OLD})
    tenant, row = new_id(), new_id()
    sealed = cipher.seal(b"x", tenant_id=tenant, table="t", column="c", row_id=row)

    for position in range(len(sealed)):
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(SecretUnreadable):
            cipher.open(bytes(broken), tenant_id=tenant, table="t", column="c", row_id=row)


def test_the_same_secret_never_looks_the_same() -> None:
    cipher = Cipher({1: OLD})
    tenant, row = new_id(), new_id()

    sealed = {cipher.seal(b"x", tenant_id=tenant, table="t", column="c", row_id=row) for _ in range(50)}

    assert len(sealed) == 50


def test_rotation_reads_old_secrets_and_seals_with_the_newest_key() -> None:
    tenant, row = new_id(), new_id()
    old = Cipher({1: OLD}).seal(b"x", tenant_id=tenant, table="t", column="c", row_id=row)
    both = Cipher({1: OLD, 2: NEW})

    new = both.seal(b"x", tenant_id=tenant, table="t", column="c", row_id=row)

    assert both.open(old, tenant_id=tenant, table="t", column="c", row_id=row) == b"x"
    assert (both.is_current(old), both.is_current(new)) == (False, True)
    with pytest.raises(SecretUnreadable, match="version"):
        Cipher({2: NEW}).open(old, tenant_id=tenant, table="t", column="c", row_id=row)


@pytest.mark.parametrize("keys", [{}, {1: b"short"}])
def test_a_cipher_refuses_keys_that_are_not_32_bytes(keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Cipher(keys)


def test_a_token_carries_tenant_and_row_and_survives_a_round_trip() -> None:
    token = Token.new("upload", new_id(), new_id())

    assert Token.parse(str(token), "upload") == token
    assert str(token).startswith(f"pm_upload_{token.tenant_id.hex}_{token.row_id.hex}_")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pm_upload",
        "pm_upload_x_y_z",
        "pm_invite_" + "0" * 32 + "_" + "0" * 32 + "_s",
        "pm_upload_" + "é" * 40,
        "x" * 10_000,
    ],
)
def test_anything_else_is_no_token(text: str) -> None:
    assert Token.parse(text, "upload") is None


def test_a_secret_is_compared_by_its_hash() -> None:
    hashed = hash_secret("right")

    assert secret_matches("right", hashed)
    assert not secret_matches("wrong", hashed)


def test_keys_are_derived_for_one_purpose_each() -> None:
    assert derived_key(OLD, "unsubscribe") == derived_key(OLD, "unsubscribe")
    assert len({derived_key(OLD, "unsubscribe"), derived_key(OLD, "return path"), derived_key(NEW, "unsubscribe")}) == 3


@pytest.mark.parametrize("text", ["aa" * 31, "not hex" * 9, "QUJD"])
def test_a_key_of_another_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # from three libraries, each with words of its own
        decode_key(text)
