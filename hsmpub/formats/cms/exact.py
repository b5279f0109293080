"""What was read of a signature, spelled anew: whoever compares finds what a lenient parser passed over.

asn1crypto takes a SEQUENCE that goes on behind its last field. What stands there is under no signature, and other
programs refuse it, or hide it. Shares nothing with what writes signatures. Source: ITU-T X.690, sections 8 and 10;
RFC 5652, sections 3 and 5.1; RFC 5280, section 4.1.
"""

from __future__ import annotations

from typing import NamedTuple

from hsmpub.model.key import KeyKind

_SEQUENCE, _SET, _INTEGER, _OCTETS, _BITS, _FIRST = 0x30, 0x31, 0x02, 0x04, 0x03, 0xA0
#: AlgorithmIdentifier of SHA-256 with its NULL; id-signedData.
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
#: Of ECDSA with SHA-256; of RSA alone, as CMS has it, and with SHA-256, as certificates have it.
_IN_CMS: dict[KeyKind, bytes] = {
    "p256": bytes.fromhex("300a06082a8648ce3d040302"),
    "rsa3072": bytes.fromhex("300d06092a864886f70d0101010500"),
}
_IN_X509: dict[KeyKind, bytes] = {
    "p256": _IN_CMS["p256"],
    "rsa3072": bytes.fromhex("300d06092a864886f70d01010b0500"),
}


class Said(NamedTuple):
    """Values as DER, but version, serial and signature. certificates: in their order; attributes: with their tag, [0];
    both empty where there are none. content: content type, and what follows it."""

    version: int
    content: bytes
    certificates: bytes
    issuer: bytes
    serial: int
    attributes: bytes
    signature: bytes


def signed_data_of(said: Said, kind: KeyKind) -> bytes:
    """The one ContentInfo that says this, and no more."""
    signer = _value(
        _SEQUENCE, _number(1), _value(_SEQUENCE, said.issuer, _number(said.serial)), _SHA256, said.attributes,
        _IN_CMS[kind], _value(_OCTETS, said.signature),
    )  # fmt: skip
    certificates = _value(_FIRST, said.certificates) if said.certificates else b""
    signed = _value(
        _SEQUENCE, _number(said.version), _value(_SET, _SHA256), _value(_SEQUENCE, said.content), certificates,
        _value(_SET, signer),
    )  # fmt: skip
    return _value(_SEQUENCE, _SIGNED_DATA, _value(_FIRST, signed))


def signed_of(tbs: bytes, signature: bytes, kind: KeyKind) -> bytes:
    """The one certificate, or list of revoked ones, that holds these."""
    return _value(_SEQUENCE, tbs, _IN_X509[kind], _value(_BITS, b"\0", signature))


def _number(value: int) -> bytes:
    return _value(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _value(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body
