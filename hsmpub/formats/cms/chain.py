"""The certificate chain of a key, as its ceremony imported it."""

from __future__ import annotations

import functools
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.errors import Invalid
from hsmpub.formats.public_key import load_public
from hsmpub.model.key import KeyRecord


class CertificateMissing(Invalid):
    advice = (
        "Ask for a certificate with 'hsmpub-ceremony csr', and import it with 'hsmpub-ceremony certificate-import'."
    )


class CertificateOfAnotherKey(Invalid):
    advice = "Import the certificate that was issued for this key's own request."


class Chain(NamedTuple):
    """ders: the certificates, the key's own first; issuer: DER of its issuer's name; serial: its number."""

    ders: tuple[bytes, ...]
    issuer: bytes
    serial: int


def load_chain(key: KeyRecord) -> Chain:
    """The chain of a key.

    Raises:
        CertificateMissing: the key has none, or what it has is none.
        CertificateOfAnotherKey.
    """
    return _load(key)


@functools.lru_cache(maxsize=64)
def _load(key: KeyRecord) -> Chain:
    if not key.certificates:
        raise CertificateMissing(f"The key {key.name!r} has no X.509 certificate.")
    try:
        found = x509.load_pem_x509_certificates(key.certificates.encode())
    except ValueError:
        raise CertificateMissing(f"The certificates of the key {key.name!r} cannot be read.") from None
    leaf = found[0]
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*spki) != load_public(key).public_bytes(*spki):
        raise CertificateOfAnotherKey(f"The first certificate of the key {key.name!r} is for another key.")
    ders = tuple(one.public_bytes(Encoding.DER) for one in found)
    return Chain(ders, leaf.issuer.public_bytes(), leaf.serial_number)
