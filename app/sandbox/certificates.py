"""The sandbox's own certificate authority and server certificates, made at the first start and kept in its folder."""

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAME = "smtp.sandbox.example"
WRONG_NAME = "elsewhere.sandbox.example"
_CA_YEARS = 10
_SERVER_DAYS = 397
_RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Certificates:
    """`ca_file` is what clients trust. `wrong` is a certificate of the same authority for another host."""

    ca_file: Path
    right: ssl.SSLContext
    wrong: ssl.SSLContext


def certificates(folder: Path, *, now: datetime | None = None) -> Certificates:
    """Those in `folder`, made or renewed where they are missing or near their end.

    `now` is real time, not the virtual clock's: it is real time that TLS libraries check. Raises OSError.
    """
    moment = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_file, ca_key_file = folder / "ca.pem", folder / "ca-key.pem"
    if not (ca_file.exists() and ca_key_file.exists()) or _ends_soon(ca_file, moment):
        _make_authority(ca_file, ca_key_file, moment)
    right, wrong = folder / "server.pem", folder / "wrong-server.pem"
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(SERVER_NAME)]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    wrong_names: list[x509.GeneralName] = [x509.DNSName(WRONG_NAME)]
    for file, subjects in ((right, names), (wrong, wrong_names)):
        if not file.exists() or _ends_soon(file, moment) or file.stat().st_mtime < ca_file.stat().st_mtime:
            _make_server(file, subjects, ca_file=ca_file, ca_key_file=ca_key_file, moment=moment)
    return Certificates(ca_file=ca_file, right=_context(right), wrong=_context(wrong))


def _make_authority(ca_file: Path, key_file: Path, moment: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PenguinMails sandbox authority")])
    builder = _builder(name, name, key.public_key(), moment, timedelta(days=365 * _CA_YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    _write(key_file, _private(key))
    _write(ca_file, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), mode=0o644)


def _make_server(
    file: Path, subjects: list[x509.GeneralName], *, ca_file: Path, ca_key_file: Path, moment: datetime
) -> None:
    authority = x509.load_pem_x509_certificate(ca_file.read_bytes())
    authority_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PenguinMails sandbox server")])
    builder = _builder(authority.subject, name, key.public_key(), moment, timedelta(days=_SERVER_DAYS))
    builder = builder.add_extension(x509.SubjectAlternativeName(subjects), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    certificate = builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    _write(file, certificate + _private(key))


def _builder(
    issuer: x509.Name, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, moment: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(moment - timedelta(days=1)).not_valid_after(moment + life)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Whole or not at all: a crash leaves the old file."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    part.replace(file)


def _ends_soon(file: Path, moment: datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return certificate.not_valid_after_utc < moment + timedelta(days=_RENEW_DAYS)


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(file)
    return context
