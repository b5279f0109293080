"""Writes DER: the few types that these formats need. Reading is asn1crypto's (hsmpub.formats.cms.read).

Source: ITU-T X.690, sections 8 and 10.
"""

from __future__ import annotations

from datetime import UTC, datetime


def tlv(tag: int, *parts: bytes) -> bytes:
    """One value under a one-byte tag, with the shortest length."""
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    """SET OF: its members in the order of their encodings."""
    return tlv(0x31, *sorted(parts))


def octets(data: bytes) -> bytes:
    return tlv(0x04, data)


def integer(number: int) -> bytes:
    """A number that is not negative."""
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def context(number: int, *parts: bytes, constructed: bool = True) -> bytes:
    """A context-specific tag."""
    return tlv((0xA0 if constructed else 0x80) | number, *parts)


def utc_time(at: int) -> bytes:
    """at: seconds since 1970. UTCTime up to 2049, GeneralizedTime after. Source: RFC 5652, section 11.3."""
    when = datetime.fromtimestamp(at, UTC)
    if 1950 <= when.year < 2050:
        return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


def oid(dotted: str) -> bytes:
    """An object identifier."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytearray()
    for number in (first * 40 + second, *rest):
        piece = bytearray((number & 0x7F,))
        while number := number >> 7:
            piece.insert(0, 0x80 | number & 0x7F)
        body += piece
    return tlv(0x06, bytes(body))


NULL = b"\x05\x00"
