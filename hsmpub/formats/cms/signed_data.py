"""Builds CMS SignedData with one signer and signed attributes: what is signed is small, and ours.

The HSM signs SHA-256 over the DER of the attributes; the content is in them by its digest.
Source: RFC 5652, sections 5.3 to 5.6 and 11; RFC 5035 (signing certificate); RFC 5754 (SHA-2, ECDSA, RSA).
"""

from __future__ import annotations

import hashlib

from hsmpub.formats.cms.chain import Chain
from hsmpub.formats.cms.der import NULL, context, integer, octets, oid, sequence, set_of, utc_time
from hsmpub.formats.der_signature import bare_signature
from hsmpub.formats.format import Prepared
from hsmpub.model.key import KeyKind

DATA = oid("1.2.840.113549.1.7.1")
SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
_SIGNING_TIME = oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2 = oid("1.2.840.113549.1.9.16.2.47")
SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), NULL)
ALGORITHMS: dict[KeyKind, bytes] = {
    "p256": sequence(oid("1.2.840.10045.4.3.2")),
    "rsa3072": sequence(oid("1.2.840.113549.1.1.1"), NULL),
}


def attribute(kind: bytes, *values: bytes) -> bytes:
    """kind: its object identifier, DER."""
    return sequence(kind, set_of(*values))


def signed_attributes(content_type: bytes, digest: bytes, at: int, chain: Chain, *more: bytes) -> bytes:
    """DER of the SET OF attributes, as it is hashed and signed.

    Args:
        content_type: object identifier, DER; digest: SHA-256 of the content; at: signing time, seconds since 1970;
        more: attributes of the format's own, DER.
    """
    certificate = sequence(octets(hashlib.sha256(chain.ders[0]).digest()))
    return set_of(
        attribute(_CONTENT_TYPE, content_type),
        attribute(_MESSAGE_DIGEST, octets(digest)),
        attribute(_SIGNING_TIME, utc_time(at)),
        attribute(_SIGNING_CERTIFICATE_V2, sequence(sequence(certificate))),
        *more,
    )


def prepare_attributes(attributes: bytes, kind: KeyKind, chain: Chain, content: bytes = DATA) -> Prepared:
    """content: members of the encapsulated ContentInfo, DER; a bare object identifier where it is elsewhere."""
    signer = sequence(chain.issuer, integer(chain.serial))
    certificates = b"".join(sorted(chain.ders))
    return Prepared(hashlib.sha256(attributes).digest(), "sha256", kind, (attributes, signer, certificates, content))


def signed_data(prepared: Prepared, raw: bytes, version: int = 1) -> bytes:
    """DER of a ContentInfo with the SignedData in it, by default version 1 as PKCS #7 had it; 3 is for content that is
    not data. Raises RawSignatureMalformed."""
    attributes, signer, certificates, content = prepared.parts
    info = sequence(
        integer(1),
        signer,
        SHA256,
        b"\xa0" + attributes[1:],  # [0] IMPLICIT instead of SET: only the tag differs
        ALGORITHMS[prepared.kind],
        octets(bare_signature(prepared, raw)),
    )
    chain = context(0, certificates) if certificates else b""  # timestamps go without where none was asked for
    signed = sequence(integer(version), set_of(SHA256), sequence(content), chain, set_of(info))
    return sequence(SIGNED_DATA, context(0, signed))
