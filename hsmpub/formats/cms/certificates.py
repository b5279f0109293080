"""The certificates that a CMS signature itself carries, for a key whose certificate was renewed since.

The key is pinned; its certificates say who others think it is. Pins hold the newest, an old signature those of its day.
"""

from __future__ import annotations

import msgspec
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.errors import Invalid
from hsmpub.formats.certificate_chain import check_issued
from hsmpub.formats.cms.der_check import check_der
from hsmpub.formats.public_key import spki_sha256
from hsmpub.formats.x509_read import UNREADABLE, load_whole
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord

_MOST = 8
_NO_CHAIN: tuple[type[Exception], ...] = (*UNREADABLE, Invalid)


def with_its_certificates(output: bytes, key: KeyRecord) -> KeyRecord | None:
    """The key with the certificates of this signature, its own first; None: that is the pinned one, or they are no
    chain for this very key. Whether anybody trusts them is not asked."""
    if not key.certificates:
        return None
    try:
        check_der(output)
        held = asn1_cms.ContentInfo.load(output, strict=True)["content"]["certificates"] or []
        found = [load_whole(one.chosen.dump()) for one in held][:_MOST]
        own = [one for one in found if _key_sha256(one) == spki_sha256(key.public).hex()]
        ordered = _in_order(own[:1], found)
        check_issued(ordered)
    except _NO_CHAIN:
        return None
    pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in ordered)
    return (
        None
        if key.certificates.startswith(ordered[0].public_bytes(Encoding.PEM).decode())
        else msgspec.structs.replace(key, certificates=pem)
    )


def _in_order(chain: list[x509.Certificate], found: list[x509.Certificate]) -> list[x509.Certificate]:
    """From the key's own certificate on, each before its issuer's. Raises ValueError unless all of them fit."""
    left = [one for one in found if one not in chain]
    while chain and left:
        issuers = [one for one in left if one.subject == chain[-1].issuer]
        if not issuers:
            break
        chain = [*chain, issuers[0]]
        left.remove(issuers[0])
    if not chain or left:
        raise ValueError("no chain")
    return chain


def _key_sha256(certificate: x509.Certificate) -> str:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256_hex(spki)
