"""DKIM signatures (RFC 6376), our own: relaxed/relaxed, rsa-sha256, so that a selector can rotate with overlap."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_BITS = 2048
LONGEST_TXT_STRING = 255
# From is named once more than it occurs, so that a second From breaks the signature (RFC 6376, section 8.15).
SIGNED = (
    "from",
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
)
_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_AT_END = re.compile(rb"[ \t]+(?=\r\n)")
_LABELS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,250}[A-Za-z0-9])?")


class KeyUnusable(ValueError):
    """The stored key is not an RSA private key of at least 1024 bits (RFC 8301), or its names are no DNS names."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that has been read: keep it for a run, since reading costs far more than signing."""

    domain: str
    selector: str
    private_key: rsa.RSAPrivateKey


def new_private_key() -> bytes:
    """A new RSA key, as PEM (PKCS 8). Takes about 100 ms."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signing_key(pem: bytes, *, domain: str, selector: str) -> SigningKey:
    """Reads a key of new_private_key. `domain` is in A-labels. Raises KeyUnusable."""
    if _LABELS.fullmatch(domain) is None or _LABELS.fullmatch(selector) is None:
        raise KeyUnusable(f"{selector!r} and {domain!r} cannot be a selector and a domain")
    return SigningKey(domain=domain.lower(), selector=selector.lower(), private_key=_read(pem))


def public_record(pem: bytes) -> str:
    """The TXT record's value for `<selector>._domainkey.<domain>` (RFC 6376, section 3.6.1). Raises KeyUnusable."""
    public = _read(pem).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode('ascii')}"


def txt_strings(record: str) -> list[str]:
    """The record in the pieces that a TXT record may hold: at most 255 bytes each (RFC 1035, section 3.3)."""
    return [record[start : start + LONGEST_TXT_STRING] for start in range(0, len(record), LONGEST_TXT_STRING)]


def sign(raw: bytes, *, key: SigningKey, signed_at: datetime) -> bytes:
    """The mail with a DKIM-Signature on top. The same mail, key and moment give the same bytes.

    `raw` has CRLF line ends and one of each header, as compose makes it. Raises ValueError when From is missing.
    """
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        raise ValueError("the mail has no end of header")
    fields = _fields(head)
    if "from" not in fields:
        raise ValueError("the mail has no From header to sign")
    names = [name for name in SIGNED if name in fields]
    body_hash = base64.b64encode(sha256(_relaxed_body(body)).digest()).decode("ascii")
    unsigned = (
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
        f" d={key.domain}; s={key.selector};\r\n"
        f" t={int(signed_at.timestamp())}; bh={body_hash};\r\n"
        f" h={_folded_names(names)};\r\n"
        " b="
    )
    signed = b"".join(fields[name] + b"\r\n" for name in dict.fromkeys(names))
    own_name, _, own_value = unsigned.encode("ascii").partition(b":")
    signed += _relaxed_field(own_name, own_value)
    signature = key.private_key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    text = base64.b64encode(signature).decode("ascii")
    folded = "\r\n ".join(text[start : start + 72] for start in range(0, len(text), 72))
    return f"{unsigned}{folded}\r\n".encode("ascii") + raw


def _read(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyUnusable("the DKIM key cannot be read") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 1024:
        raise KeyUnusable("the DKIM key is not an RSA key of at least 1024 bits")
    return key


def _fields(head: bytes) -> dict[str, bytes]:
    """Relaxed header fields by lower-case name; of a repeated one the last, which is the one that is signed first."""
    fields: dict[str, bytes] = {}
    for field in re.split(rb"\r\n(?![ \t])", head):
        name, _, value = field.partition(b":")
        fields[name.strip().lower().decode("ascii")] = _relaxed_field(name, value)
    return fields


def _relaxed_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376, section 3.4.2, without the line end."""
    unfolded = _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip().lower() + b":" + unfolded


def _relaxed_body(body: bytes) -> bytes:
    """RFC 6376, section 3.4.4."""
    shrunk = _BLANKS.sub(b" ", _BLANKS_AT_END.sub(b"", body))
    stripped = shrunk.rstrip(b"\r\n")
    return stripped + b"\r\n" if stripped else b""


def _folded_names(names: list[str]) -> str:
    half = (len(names) + 1) // 2
    return ":".join(names[:half]) + ":\r\n  " + ":".join(names[half:])
