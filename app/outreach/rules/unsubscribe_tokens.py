"""Tokens of unsubscribe links: they name tenant, contact and message, and nobody can make or move one."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

_MAC_BYTES = 16
_LENGTH = 2 + 3 * 16 + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    tenant_id: UUID
    contact_id: UUID
    message_id: UUID


@dataclass(frozen=True, slots=True)
class UnsubscribeTokens:
    """`keys` by version, 32 bytes each; new tokens use the highest, so that links in old mails outlive a rotation.

    Format: base64url of version (2 bytes), the three ids, and the first 16 bytes of HMAC-SHA256 over all of them
    (RFC 2104, section 5). A token does not expire: an opt-out link must work for as long as the mail is kept.
    """

    keys: Mapping[int, bytes]

    def make(self, token: UnsubscribeToken) -> str:
        version = max(self.keys)
        body = version.to_bytes(2, "big") + token.tenant_id.bytes + token.contact_id.bytes + token.message_id.bytes
        return base64.urlsafe_b64encode(body + self._mac(version, body)).rstrip(b"=").decode("ascii")

    def read(self, text: str) -> UnsubscribeToken | None:
        """None for anything that was not made by us."""
        if len(text) > 2 * _LENGTH or not text.isascii():
            return None
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        version = int.from_bytes(data[:2], "big")
        if len(data) != _LENGTH or version not in self.keys:
            return None
        body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(version, body)):
            return None
        tenant, contact, message = (UUID(bytes=body[at : at + 16]) for at in (2, 18, 34))
        return UnsubscribeToken(tenant, contact, message)

    def _mac(self, version: int, body: bytes) -> bytes:
        return hmac.new(self.keys[version], body, sha256).digest()[:_MAC_BYTES]
