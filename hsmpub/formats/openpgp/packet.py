"""Building blocks of OpenPGP: packets, integers, subpackets, ASCII armour.

Source: RFC 4880 as kept by RFC 9580: 3.2 (MPI), 4.2.1 (packet lengths), 5.2.3 (subpackets), 6 (armour).
"""

from __future__ import annotations

import binascii

SIGNATURE_TAG = 2
PUBLIC_KEY_TAG = 6
USER_ID_TAG = 13
PUBLIC_SUBKEY_TAG = 14

RSA = 1
ECDSA = 19
SHA256 = 8

CREATION_TIME = 2
PREFERRED_CIPHERS = 11
KEY_EXPIRATION = 9
ISSUER_KEY_ID = 16
PREFERRED_HASHES = 21
KEY_FLAGS = 27
REVOCATION_REASON = 29
FEATURES = 30
EMBEDDED_SIGNATURE = 32
ISSUER_FINGERPRINT = 33


def packet(tag: int, body: bytes) -> bytes:
    """A packet with a new-format header."""
    return bytes((0xC0 | tag,)) + _length(len(body)) + body


def subpacket(kind: int, body: bytes) -> bytes:
    return _length(len(body) + 1) + bytes((kind,)) + body


def _length(size: int) -> bytes:
    if size < 192:
        return bytes((size,))
    if size < 8384:
        return bytes((((size - 192) >> 8) + 192, (size - 192) & 0xFF))
    return b"\xff" + size.to_bytes(4, "big")


def mpi(number: bytes) -> bytes:
    """A big-endian number with its length in bits; leading zeros dropped."""
    number = number.lstrip(b"\0")
    bits = 8 * len(number) - 8 + number[0].bit_length() if number else 0
    return bits.to_bytes(2, "big") + number


def armor(kind: str, data: bytes, *, checksum: bool = True) -> bytes:
    """ASCII armour, lines of 64 characters; with its checksum, which old readers want and version 6 must not have."""
    text = binascii.b2a_base64(data, newline=False)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    total = b"=" + binascii.b2a_base64(crc24(data).to_bytes(3, "big"), newline=False)
    begin, end = b"-----BEGIN PGP %b-----" % kind.encode(), b"-----END PGP %b-----" % kind.encode()
    return b"\n".join((begin, b"", *lines, *([total] if checksum else []), end, b""))


def _table() -> tuple[int, ...]:
    """Remainders of each byte, 24 bits, generator 0x864CFB."""
    table = []
    for byte in range(256):
        crc = byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
        table.append(crc & 0xFFFFFF)
    return tuple(table)


_CRC24 = _table()


def crc24(data: bytes) -> int:
    """Source: RFC 4880, section 6.1."""
    crc = 0xB704CE
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFF) ^ _CRC24[(crc >> 16) ^ byte]
    return crc
