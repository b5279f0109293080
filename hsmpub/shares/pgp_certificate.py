"""A holder's OpenPGP certificate: which of its keys a share is encrypted to, and proof that it belongs to it.

Only what gpg and sequoia make is read: version 4 keys, an encryption subkey that the primary key has bound to itself.
Expiry is not looked at: an expired key still opens what was encrypted to it. A revoked one is refused.
Source: RFC 4880, 4.2, 5.2.3, 5.2.4, 5.5.2, 12.2; RFC 6637; draft-koch-eddsa-for-openpgp-04 (Ed25519).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hsmpub.errors import Invalid
from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import OutputMalformed
from hsmpub.formats.openpgp.parse import framed

BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
RSA, ECDH, ECDSA, EDDSA = 1, 18, 19, 22
CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("2a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("2b81040022"): ec.SECP384R1(),
    bytes.fromhex("2b81040023"): ec.SECP521R1(),
}
CURVE25519 = bytes.fromhex("2b060104019755010501")
_ED25519 = bytes.fromhex("2b06010401da470f01")
_HASHES: dict[int, hashes.HashAlgorithm] = {8: hashes.SHA256(), 9: hashes.SHA384(), 10: hashes.SHA512()}
_PRIMARY, _SUBKEY, _SIGNATURE, _SECRET = 6, 14, 2, (5, 7)
_BINDING, _REVOCATIONS = 0x18, (0x20, 0x28)
_MAY_ENCRYPT = 0x0C  # communications, storage
_MOST = 1 << 16
_ARMOR = re.compile(
    rf"{BEGIN}\r?\n(?:[^\n]*: [^\n]*\n)*\s*\n(?P<body>[A-Za-z0-9+/=\s]+?)(?:\n=[A-Za-z0-9+/]{{4}}\s*)?"
    r"\n-----END PGP PUBLIC KEY BLOCK-----"
)


class CertificateUnusable(Invalid):
    advice = "Give what 'gpg --export --armor --export-options export-minimal KEY' prints, with an encryption subkey."


class _Malformed(OutputMalformed):
    pass


class PgpKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key of a certificate that shares are encrypted to.

    Attributes:
        certificate: primary fingerprint, 40 hex digits in capitals, as gpg prints it.
        fingerprint: of the encryption subkey, raw, 20 bytes; its last 8 are the key id.
        body: of the subkey's packet.
        packets: primary key, subkey and its binding: all that is needed to find this key again.
    """

    certificate: str
    fingerprint: bytes
    body: bytes
    packets: bytes


def read_certificate(armored: str) -> PgpKey:
    """The newest encryption subkey that the primary key vouches for.

    Raises:
        CertificateUnusable: no such key in it, a revoked one, a private key, or of algorithms not supported here.
    """
    try:
        return _read(_dearmor(armored))
    except OutputMalformed as error:
        raise CertificateUnusable(f"The OpenPGP certificate is damaged: {error.detail}") from None


def key_fingerprint(body: bytes) -> bytes:
    """Version 4 fingerprint of a key packet's body, 20 bytes."""
    return hashlib.sha1(framed(body), usedforsecurity=False).digest()


def _read(data: bytes) -> PgpKey:
    found = list(_packets(data))
    if any(tag in _SECRET for tag, _, _ in found):
        raise CertificateUnusable("This is an OpenPGP private key: keep it to yourself.")
    if not found or found[0][0] != _PRIMARY or [tag for tag, _, _ in found].count(_PRIMARY) != 1:
        raise CertificateUnusable("This is not one OpenPGP certificate.")
    primary = found[0][1]
    subkey, best = b"", (-1, b"", b"")
    for tag, body, whole in found:
        if tag == _SUBKEY:
            subkey, subkey_packet = body, whole
        elif tag == _SIGNATURE and len(body) > 2 and body[0] == 4:
            if body[1] in _REVOCATIONS:
                raise CertificateUnusable("The OpenPGP certificate, or a key of it, is revoked.")
            if body[1] == _BINDING and subkey and subkey[5:6] in (bytes((RSA,)), bytes((ECDH,))):
                at, flags = _check_binding(primary, subkey, body)
                if flags & _MAY_ENCRYPT:
                    best = max(best, (at, subkey, subkey_packet + whole))
    if best[0] < 0:
        raise CertificateUnusable("The OpenPGP certificate has no encryption subkey of a kind known here.")
    certificate = key_fingerprint(primary).hex().upper()
    return PgpKey(certificate, key_fingerprint(best[1]), best[1], found[0][2] + best[2])


def _check_binding(primary: bytes, subkey: bytes, body: bytes) -> tuple[int, int]:
    """Creation time and key flags of a binding that the primary key signed. Raises CertificateUnusable."""
    cursor = Cursor(body, _Malformed)
    _, _, algorithm, hash_ = cursor.take(4)
    area = cursor.sized(2)
    cursor.sized(2)
    cursor.take(2)
    head = body[: 6 + len(area)]
    signed = framed(primary) + framed(subkey) + head + b"\x04\xff" + len(head).to_bytes(4, "big")
    numbers = []
    while cursor.left:
        numbers.append(cursor.take((cursor.number(2) + 7) // 8))
    try:
        _verify(primary, algorithm, _HASHES[hash_], numbers, signed)
    except (InvalidSignature, ValueError, KeyError, IndexError):
        raise CertificateUnusable("The primary key does not vouch for the subkey, or in a way unknown here.") from None
    said = dict(_subpackets(area))
    return int.from_bytes(said.get(2, b""), "big"), int.from_bytes(said.get(27, b"")[:1], "big")


def _verify(primary: bytes, algorithm: int, hash_: hashes.HashAlgorithm, numbers: list[bytes], signed: bytes) -> None:
    cursor = Cursor(primary, _Malformed)
    cursor.take(5)
    if cursor.number(1) != algorithm:
        raise InvalidSignature
    if algorithm == RSA:
        modulus, exponent = read_number(cursor), read_number(cursor)
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        public.verify(numbers[0].rjust(public.key_size // 8, b"\0"), signed, padding.PKCS1v15(), hash_)
        return
    curve = cursor.sized(1)
    point = read_number(cursor)
    if algorithm == EDDSA and curve == _ED25519:
        digest = hashes.Hash(hash_)
        digest.update(signed)
        signature = b"".join(number.rjust(32, b"\0") for number in numbers)
        Ed25519PublicKey.from_public_bytes(point.to_bytes(33, "big")[1:]).verify(signature, digest.finalize())
    elif algorithm == ECDSA:
        raw = point.to_bytes((point.bit_length() + 7) // 8, "big")
        r, s = (int.from_bytes(number, "big") for number in numbers)
        key = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve], raw)
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hash_))
    else:
        raise InvalidSignature


def read_number(cursor: Cursor) -> int:
    """A multiprecision integer."""
    return int.from_bytes(cursor.take((cursor.number(2) + 7) // 8), "big")


def _dearmor(text: str) -> bytes:
    match = _ARMOR.search(text)
    if match is None or len(text) > _MOST:
        raise CertificateUnusable("This is not one armoured OpenPGP certificate.")
    try:
        return base64.b64decode("".join(match["body"].split()), validate=True)
    except binascii.Error:
        raise CertificateUnusable("The OpenPGP certificate's armour is broken.") from None


def _packets(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, body and whole of each packet, with old and new headers."""
    cursor = Cursor(data, _Malformed)
    while cursor.left:
        begin = len(data) - cursor.left
        head = cursor.number(1)
        if head & 0xC0 == 0xC0:
            tag, size = head & 0x3F, _length(cursor)
        elif head & 0x80 and head & 3 != 3:
            tag, size = head >> 2 & 0x0F, cursor.number(1 << (head & 3))
        else:
            raise _Malformed("a packet has a broken header.")
        yield tag, cursor.take(size), data[begin : len(data) - cursor.left]


def _length(cursor: Cursor) -> int:
    first = cursor.number(1)
    if first < 192:
        return first
    if first < 224:
        return (first - 192 << 8) + cursor.number(1) + 192
    if first == 255:
        return cursor.number(4)
    raise _Malformed("a packet comes in parts.")


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    cursor = Cursor(area, _Malformed)
    while cursor.left:
        size = _length(cursor)
        kind = cursor.number(1) & 0x7F
        yield kind, cursor.take(size - 1)
