"""A PEM file with a private key and its certificate in; both apart, and when the certificate ends, out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from triaged.errors import LoginRefused


@dataclass(frozen=True, slots=True)
class KeyPair:
    """key_pem: of the private key, not encrypted. ends: of the certificate, UTC."""

    key_pem: str = field(repr=False)
    certificate_pem: str
    ends: datetime


def key_pair(path: Path, *, sign_in: str) -> KeyPair:
    """Raises: LoginRefused (the file cannot be read, or does not hold both)."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    def public(of: object) -> bytes:
        return of.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]

    wanted = "it must hold, as PEM, the private key (without a passphrase) and its certificate"
    try:
        octets = path.read_bytes()
        key = load_pem_private_key(octets, password=None)
        # A chain may stand there too, and in any order: ours is the one of this key.
        certificate = next(
            (each for each in x509.load_pem_x509_certificates(octets) if public(each) == public(key)), None
        )
    except OSError as error:
        raise LoginRefused(f"sign-in {sign_in}: the certificate {path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise LoginRefused(f"sign-in {sign_in}: the file {path} is not as wanted: {wanted}") from None
    if certificate is None:
        raise LoginRefused(f"sign-in {sign_in}: no certificate in {path} belongs to the private key there; {wanted}")
    return KeyPair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
        certificate.public_bytes(Encoding.PEM).decode("ascii"),
        certificate.not_valid_after_utc,
    )
