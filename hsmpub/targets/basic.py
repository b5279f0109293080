"""HTTP Basic authentication without copies: everything secret stays in bytearrays that can be wiped.

Source: RFC 7617, RFC 4648.
"""

from __future__ import annotations

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def basic_header(user: bytes, credential: bytearray) -> bytearray:
    """The header line `Authorization: Basic …`, without its end. The caller wipes it."""
    pair = bytearray(user + b":")
    pair += credential
    line = bytearray(b"Authorization: Basic ")
    for start in range(0, len(pair), 3):
        group = pair[start : start + 3]
        missing = 3 - len(group)
        group.extend(b"\0" * missing)
        bits = int.from_bytes(group, "big")
        for place in range(4 - missing):
            line.append(_ALPHABET[(bits >> (18 - 6 * place)) & 63])
        line.extend(b"=" * missing)
    pair[:] = bytes(len(pair))
    return line
