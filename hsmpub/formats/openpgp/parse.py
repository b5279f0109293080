"""Takes OpenPGP apart: armour, packets, subpackets, integers. Written apart from the builder.

Strict: only the one spelling that the builder has is accepted, so that an altered byte is always seen.
Source: RFC 4880, sections 3.2, 4.2.2, 5.2.3.1 and 6.
"""

from __future__ import annotations

import binascii
import re

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import OutputMalformed

_ARMOR = re.compile(
    rb"-----BEGIN PGP (?P<kind>SIGNATURE|PUBLIC KEY BLOCK)-----\n\n"
    rb"(?P<body>(?:[A-Za-z0-9+/]{64}\n)*(?=[^\n]{1,64}\n)[A-Za-z0-9+/]+={0,2}\n)"
    rb"(?:=(?P<sum>[A-Za-z0-9+/]{4})\n)?-----END PGP (?P=kind)-----\n"
)


class OpenpgpMalformed(OutputMalformed):
    pass


def framed(body: bytes) -> bytes:
    """The body of a version 4 key packet as signatures and fingerprints hash it."""
    return b"\x99" + len(body).to_bytes(2, "big") + body


def dearmor(text: bytes, kind: str, *, checksum: bool = True) -> bytes:
    """The packets inside the armour, which has its checksum, or (version 6) has none.

    Raises:
        OpenpgpMalformed: not one plain armour of this kind, or its checksum differs.
    """
    match = _ARMOR.fullmatch(text)
    if match is None or match["kind"] != kind.encode() or (match["sum"] is not None) != checksum:
        raise OpenpgpMalformed(f"This is not one armoured PGP {kind.lower()}.")
    joined = match["body"].replace(b"\n", b"")
    try:
        data = binascii.a2b_base64(joined, strict_mode=True)
    except binascii.Error:
        raise OpenpgpMalformed("The armour holds broken base64.") from None
    if binascii.b2a_base64(data, newline=False) != joined:  # bits beyond the last byte
        raise OpenpgpMalformed("The armour is spelled in an unusual way.")
    if checksum and binascii.a2b_base64(match["sum"]) != _checksum(data):
        raise OpenpgpMalformed("The armour's checksum differs: the text was altered.")
    return data


def _remainders() -> list[int]:
    """Of each byte times x^24: twice that of its half, reduced, and the generator once more when it is odd."""
    found = [0, 0x864CFB]
    for octet in range(2, 256):
        twice = found[octet >> 1] << 1
        found.append(twice ^ (0x1864CFB if twice >> 24 else 0) ^ (0x864CFB if octet & 1 else 0))
    return found


_REMAINDER = _remainders()


def _checksum(data: bytes) -> bytes:
    value = 0xB704CE
    for octet in data:
        value = (value & 0xFFFF) << 8 ^ _REMAINDER[value >> 16 ^ octet]
    return value.to_bytes(3, "big")


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """Tag and body of each packet."""
    cursor, found = Cursor(data, OpenpgpMalformed), []
    while cursor.left:
        head = cursor.number(1)
        if head & 0xC0 != 0xC0:
            raise OpenpgpMalformed("A packet has an old or broken header.")
        found.append((head & 0x3F, cursor.take(_read_length(cursor))))
    return found


def _read_length(cursor: Cursor) -> int:
    first = cursor.number(1)
    if first < 192:
        return first
    if first < 224:
        return (first - 192 << 8) + cursor.number(1) + 192
    raise OpenpgpMalformed("A packet is longer than any of this service.")


def read_subpackets(area: bytes) -> dict[int, bytes]:
    """Body of each subpacket by its type; none is critical, none comes twice."""
    cursor, found = Cursor(area, OpenpgpMalformed), {}
    while cursor.left:
        body = cursor.take(_read_length(cursor))
        if not body or body[0] in found:
            raise OpenpgpMalformed("A subpacket is empty or comes twice.")
        found[body[0]] = body[1:]
    return found


def read_mpi(cursor: Cursor, width: int) -> bytes:
    """A number, padded to `width` bytes; its length in bits must be exact."""
    bits = cursor.number(2)
    digits = cursor.take((bits + 7) // 8)
    number = int.from_bytes(digits, "big")
    if number.bit_length() != bits or len(digits) > width:
        raise OpenpgpMalformed("A number of the signature is not spelled as it should be.")
    return number.to_bytes(width, "big")
