"""Secrets at rest and at the door: AES-256-GCM bound to its row, tokens that carry their tenant, hashes of secrets."""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_DATA_KEY_BYTES = 32
_WRAPPED_BYTES = _NONCE_BYTES + _DATA_KEY_BYTES + 16


class SecretUnreadable(RuntimeError):
    """The ciphertext was made for another row, with another key, or was changed."""


class Cipher:
    """Envelope encryption (NIST SP 800-38D): a fresh data key per value, wrapped by a versioned key-encryption key.

    Format: version (2 bytes) | wrapped data key (nonce, 32 bytes, tag) | nonce | ciphertext and tag.
    Both layers are bound to tenant, table, column and row as associated data.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys or any(len(key) != _DATA_KEY_BYTES for key in keys.values()):
            raise ValueError("the master keys must each be 32 bytes, by version")
        self._keys = {version: AESGCM(key) for version, key in keys.items()}
        self._newest = max(keys)

    def seal(self, plain: bytes, *, tenant_id: UUID, table: str, column: str, row_id: UUID) -> bytes:
        bound = _bound(tenant_id, table, column, row_id)
        data_key = AESGCM.generate_key(bit_length=256)
        version = self._newest.to_bytes(2, "big")
        key_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
        wrapped = self._keys[self._newest].encrypt(key_nonce, data_key, version + bound)
        return version + key_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, plain, version + bound)

    def open(self, sealed: bytes, *, tenant_id: UUID, table: str, column: str, row_id: UUID) -> bytes:
        """Raises SecretUnreadable."""
        bound = _bound(tenant_id, table, column, row_id)
        version, wrapped, body = sealed[:2], sealed[2 : 2 + _WRAPPED_BYTES], sealed[2 + _WRAPPED_BYTES :]
        key = self._keys.get(int.from_bytes(version, "big"))
        if key is None:
            raise SecretUnreadable("the master key of that version is not configured")
        try:
            data_key = key.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], version + bound)
            return AESGCM(data_key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], version + bound)
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable("the secret does not belong to this row, or was changed") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it; others are sealed again by rotation."""
        return int.from_bytes(sealed[:2], "big") == self._newest


def _bound(tenant_id: UUID, table: str, column: str, row_id: UUID) -> bytes:
    return b"\x00".join((tenant_id.bytes, table.encode(), column.encode(), row_id.bytes))


def derived_key(master_key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HMAC-SHA256 of its name), so that no key serves two."""
    return hmac.new(master_key, b"penguinmails:" + purpose.encode(), hashlib.sha256).digest()


def new_secret() -> str:
    """256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """SHA-256: enough for secrets of 256 random bits. Passwords go through argon2id instead."""
    return hashlib.sha256(secret.encode()).digest()


def secret_matches(secret: str, hashed: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(hash_secret(secret), hashed)


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that opens a door: `pm_<kind>_<tenant>_<id>_<secret>`, its tenant and row in clear."""

    kind: str
    tenant_id: UUID
    row_id: UUID
    secret: str

    def __str__(self) -> str:
        return f"pm_{self.kind}_{self.tenant_id.hex}_{self.row_id.hex}_{self.secret}"

    @classmethod
    def new(cls, kind: str, tenant_id: UUID, row_id: UUID) -> "Token":
        return cls(kind, tenant_id, row_id, new_secret())

    @classmethod
    def parse(cls, text: str, kind: str) -> "Token | None":
        """None for anything that is not a token of this kind."""
        parts = text.split("_", 4)
        if len(parts) != 5 or parts[0] != "pm" or parts[1] != kind or len(text) > 300 or not text.isascii():
            return None
        try:
            return cls(kind, UUID(hex=parts[2]), UUID(hex=parts[3]), parts[4])
        except ValueError:
            return None


def decode_key(text: str) -> bytes:
    """32 bytes from 64 hexadecimal digits or base64. Raises ValueError."""
    key = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    if len(key) != _DATA_KEY_BYTES:
        raise ValueError("a key is 32 bytes, as 64 hexadecimal digits or base64")
    return key
