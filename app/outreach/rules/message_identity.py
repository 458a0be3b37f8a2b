"""Names that a mail carries out and evidence carries back: the Message-ID and the VERP return path.

Both are functions of the message alone, so that a mail rendered again is the same mail, and a bounce, a reply or a
server's log leads back to its row. Base32 in lower case, because some servers fold the case of addresses.
"""

import base64
import re
from dataclasses import dataclass
from hashlib import blake2s
from hmac import compare_digest
from uuid import UUID

_MAC_BYTES = 3
_MESSAGE_ID = re.compile(r"<?([a-z2-7]{26})\.([a-z2-7]{26})@([^@<>\s]+?)>?", re.IGNORECASE)
_RETURN_PATH = re.compile(r"[^@]+\+b([a-z2-7]{31})@[^@]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MessageIdentity:
    """What a Message-ID of ours says. It is a name, not a proof: look the row up inside that tenant."""

    tenant_id: UUID
    message_id: UUID
    domain: str


def message_id_for(*, tenant_id: UUID, message_id: UUID, domain: str) -> str:
    """`<message.tenant@domain>`, with the sending mailbox's domain (RFC 5322, section 3.6.4)."""
    return f"<{_word(message_id.bytes)}.{_word(tenant_id.bytes)}@{domain}>"


def parse_message_id(value: str) -> MessageIdentity | None:
    """The identity in a Message-ID, In-Reply-To or log entry, with or without angle brackets; None when not ours."""
    match = _MESSAGE_ID.fullmatch(value.strip())
    if match is None:
        return None
    message, tenant = _bytes(match[1])[:16], _bytes(match[2])[:16]
    return MessageIdentity(tenant_id=UUID(bytes=tenant), message_id=UUID(bytes=message), domain=match[3].lower())


def return_path_for(*, mailbox_address: str, tenant_id: UUID, message_id: UUID, key: bytes) -> str:
    """The envelope sender of one message: `alice+b<tag>@acme.example` (VERP by plus address).

    The tag is the message's id and three bytes of a MAC under `key` and the tenant, so that nobody can bounce a mail
    that was not sent. A local part too long for a tag of 33 characters (RFC 5321, section 4.5.3.1.1: 64 octets) keeps
    its plain address; such a bounce is found by the Message-ID it quotes.
    """
    local, _, domain = mailbox_address.rpartition("@")
    tag = _word(message_id.bytes + _mac(tenant_id, message_id, key))
    tagged = f"{local}+b{tag}"
    return f"{tagged}@{domain}" if len(tagged) <= 64 else mailbox_address


def parse_return_path(address: str, *, tenant_id: UUID, key: bytes) -> UUID | None:
    """The message's id in a return path of this tenant; None when there is none or its MAC is wrong."""
    match = _RETURN_PATH.fullmatch(address.strip().strip("<>"))
    if match is None:
        return None
    data = _bytes(match[1])
    message_id = UUID(bytes=data[:16])
    expected = _mac(tenant_id, message_id, key)
    return message_id if compare_digest(data[16:], expected) else None


def _mac(tenant_id: UUID, message_id: UUID, key: bytes) -> bytes:
    return blake2s(tenant_id.bytes + message_id.bytes, key=key[:32], digest_size=_MAC_BYTES, person=b"verp").digest()


def _word(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _bytes(word: str) -> bytes:
    return base64.b32decode(word.upper() + "=" * (-len(word) % 8))
