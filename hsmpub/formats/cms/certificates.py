"""The certificates that a CMS signature itself carries, for a key whose certificate was renewed since.

The key is pinned; its certificates say who others think it is. Pins hold the newest, an old signature those of its day.
"""

from __future__ import annotations

import msgspec
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.cms.der_check import check_der
from hsmpub.formats.public_key import spki_sha256
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord

_MOST = 8


def with_its_certificates(output: bytes, key: KeyRecord) -> KeyRecord | None:
    """The key with the certificates of this signature, its own first; None: they are the pinned ones, or none of it is
    for this very key. Nothing of them is verified but whose key it is."""
    if not key.certificates:
        return None
    try:
        check_der(output)
        held = asn1_cms.ContentInfo.load(output, strict=True)["content"]["certificates"] or []
        found = [x509.load_der_x509_certificate(one.chosen.dump()) for one in held][:_MOST]
        own = [one for one in found if _key_sha256(one) == spki_sha256(key.public).hex()]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        return None
    ordered = own[:1] + [one for one in found if one not in own[:1]]
    pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in ordered)
    return None if not own or pem == key.certificates else msgspec.structs.replace(key, certificates=pem)


def _key_sha256(certificate: x509.Certificate) -> str:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256_hex(spki)
