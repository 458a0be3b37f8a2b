"""Access tokens: what libraries let through is refused here, claim by claim."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.identity.access_tokens import AccessTokens

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ISSUED = int(NOW.timestamp())
TOKENS = AccessTokens(KEY, issuer="https://api.penguinmails.example")
# Fixed: they stand in the names of tests, which must not change between workers.
USER, TENANT, SESSION = (UUID(int=0x01900000000070008000000000000000 + number) for number in (1, 2, 3))


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": "https://api.penguinmails.example",
        "aud": "penguinmails",
        "sub": str(USER),
        "tid": str(TENANT),
        "sid": str(SESSION),
        "jti": str(new_id()),
        "iat": ISSUED,
        "exp": ISSUED + 900,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(payload: dict[str, Any], header: dict[str, Any] | None = None, key: bytes = KEY, alg: str = "HS256") -> str:
    return jwt.encode(
        {"alg": alg, "typ": "at+jwt"} if header is None else header, payload, OctKey.import_key(key), algorithms=[alg]
    )


def test_a_signed_token_is_read_back() -> None:
    text, ends_at = TOKENS.sign(user_id=USER, tenant_id=TENANT, session_id=SESSION, now=NOW)

    read = TOKENS.read(text, now=NOW)

    assert (read.user_id, read.tenant_id, read.session_id, read.expires_at) == (USER, TENANT, SESSION, ends_at)
    assert ends_at - NOW == timedelta(minutes=15)


def test_a_hand_made_good_token_is_read_so_that_the_refusals_below_mean_something() -> None:
    assert TOKENS.read(signed(claims()), now=NOW).user_id == USER


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": str(ISSUED + 900)},
        {"exp": float(ISSUED + 900)},
        {"exp": True},
        {"exp": None},
        {"exp": ISSUED + 901},
        {"exp": ISSUED + 10 * 365 * 86_400},
        {"exp": ISSUED},
        {"exp": ISSUED - 1},
        {"iat": None},
        {"iat": str(ISSUED)},
        {"iat": float(ISSUED)},
        {"iat": ISSUED + 61, "exp": ISSUED + 900},
        {"iat": ISSUED + 900, "exp": ISSUED + 900},
        {"aud": ["penguinmails"]},
        {"aud": ["penguinmails", "other"]},
        {"aud": "other"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": ["https://api.penguinmails.example"]},
        {"iss": None},
        {"sub": None},
        {"sub": "not a uuid"},
        {"sub": 7},
        {"tid": None},
        {"tid": "*"},
        {"sid": None},
        {"sid": [str(SESSION)]},
        {"jti": None},
        {"nbf": ISSUED + 100},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(claims(**changed)), now=NOW)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256", "typ": "rt+jwt"},
        {"alg": "HS256", "typ": "application/at+jwt"},
        {"alg": "HS256", "typ": "at+jwt", "kid": "1"},
        {"alg": "HS256", "typ": "at+jwt", "jku": "https://evil.example"},
    ],
    ids=str,
)
def test_a_token_of_another_type_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(signed(claims(), header), now=NOW)


def test_another_algorithm_key_or_none_is_refused() -> None:
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + signed(claims()).split(".")[1] + "."

    for text in (
        signed(claims(), key=OTHER_KEY),
        signed(claims(), {"alg": "HS512", "typ": "at+jwt"}, alg="HS512"),
        unsigned,
    ):
        with pytest.raises(Unauthenticated):
            TOKENS.read(text, now=NOW)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "Bearer x", "é.é.é", "x" * 5_000, signed({}) + ".x", "\x00"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(text, now=NOW)


def test_a_payload_that_is_no_object_is_refused() -> None:
    from joserfc import jws

    text = jws.serialize_compact(
        {"alg": "HS256", "typ": "at+jwt"}, b"[1]", OctKey.import_key(KEY), algorithms=["HS256"]
    )

    with pytest.raises(Unauthenticated):
        TOKENS.read(text, now=NOW)


def test_a_token_ends_to_the_second() -> None:
    text = signed(claims())

    assert TOKENS.read(text, now=NOW + timedelta(seconds=899)).user_id == USER
    with pytest.raises(Unauthenticated):
        TOKENS.read(text, now=NOW + timedelta(seconds=900))
