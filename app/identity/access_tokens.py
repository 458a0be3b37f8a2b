"""Access tokens: JWTs of 15 minutes that speak for one session in one tenant (RFC 9068's type, HS256).

Libraries accept an `exp` that is text or far away, an audience list that merely includes ours, and any type of token:
everything about the claims is checked here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.core.secrets import decode_key
from app.core.settings import Settings
from app.identity.rules.session_life import ACCESS_TOKEN_LIFE

ALGORITHM, TYPE = "HS256", "at+jwt"
AUDIENCE = "penguinmails"
LONGEST = 2_048
CLOCK_SKEW_SECONDS = 60
_LIFE_SECONDS = int(ACCESS_TOKEN_LIFE.total_seconds())
_TEXT_CLAIMS = ("iss", "aud", "sub", "tid", "sid", "jti")


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a checked token says."""

    user_id: UUID
    tenant_id: UUID
    session_id: UUID
    token_id: UUID
    expires_at: datetime


class AccessTokens:
    """Signs and reads them with one key; `issuer` is the API's public URL."""

    def __init__(self, key: bytes, *, issuer: str, audience: str = AUDIENCE) -> None:
        self._key = OctKey.import_key(key)
        self._issuer = issuer
        self._audience = audience

    @classmethod
    def of(cls, settings: Settings) -> "AccessTokens":
        return cls(decode_key(settings.token_key.get_secret_value()), issuer=settings.public_url)

    def sign(self, *, user_id: UUID, tenant_id: UUID, session_id: UUID, now: datetime) -> tuple[str, datetime]:
        """A new token, and when it ends."""
        issued_at = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "tid": str(tenant_id),
            "sid": str(session_id),
            "jti": str(new_id()),
            "iat": issued_at,
            "exp": issued_at + _LIFE_SECONDS,
        }
        text = jwt.encode({"alg": ALGORITHM, "typ": TYPE}, claims, self._key, algorithms=[ALGORITHM])
        return text, datetime.fromtimestamp(claims["exp"], UTC)  # type: ignore[arg-type]

    def read(self, text: str, *, now: datetime) -> AccessClaims:
        """Raises Unauthenticated for everything but a living token of ours."""
        if len(text) > LONGEST or not text.isascii():
            raise Unauthenticated
        try:
            token = jwt.decode(text, self._key, algorithms=[ALGORITHM])
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthenticated from error
        if token.header != {"alg": ALGORITHM, "typ": TYPE}:
            raise Unauthenticated
        return self._checked(token.claims, now)

    def _checked(self, claims: Any, now: datetime) -> AccessClaims:
        if not isinstance(claims, dict) or any(type(claims.get(name)) is not str for name in _TEXT_CLAIMS):
            raise Unauthenticated
        issued_at, ends_at = claims.get("iat"), claims.get("exp")
        if type(issued_at) is not int or type(ends_at) is not int:
            raise Unauthenticated
        is_ours = claims["iss"] == self._issuer and claims["aud"] == self._audience
        lives = issued_at - CLOCK_SKEW_SECONDS <= now.timestamp() < ends_at and 0 < ends_at - issued_at <= _LIFE_SECONDS
        if not is_ours or not lives or "nbf" in claims:
            raise Unauthenticated
        try:
            user_id, tenant_id, session_id, token_id = (UUID(claims[name]) for name in ("sub", "tid", "sid", "jti"))
        except ValueError as error:
            raise Unauthenticated from error
        return AccessClaims(user_id, tenant_id, session_id, token_id, datetime.fromtimestamp(ends_at, UTC))
