"""One block of SHA-256 in plain Python, for a hash that somebody else began.

`hashlib` cannot start from chaining words; this can. About 50 µs a block: enough for a trailer, not for a file.
Source: FIPS 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.2.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

#: The eight 32-bit chaining words.
Words: TypeAlias = tuple[int, ...]

IV: Words = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip

_K = (
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
)  # fmt: skip

_M = 0xFFFFFFFF
_words_of = struct.Struct(">16I").unpack


def compress(state: Words, block: bytes) -> Words:
    """The chaining words after one more block of exactly 64 bytes.

    A word doubled into 64 bits is rotated by a shift; what lands above 32 bits falls to the one mask of each sum.
    """
    w = list(_words_of(block))
    for i in range(16, 64):
        x, y = w[i - 15], w[i - 2]
        xx, yy = x | x << 32, y | y << 32
        s0, s1 = xx >> 7 ^ xx >> 18 ^ x >> 3, yy >> 17 ^ yy >> 19 ^ y >> 10
        w.append((w[i - 16] + s0 + w[i - 7] + s1) & _M)
    a, b, c, d, e, f, g, h = state
    for k, word in zip(_K, w, strict=True):
        ee, aa = e | e << 32, a | a << 32
        t1 = h + k + word + (ee >> 6 ^ ee >> 11 ^ ee >> 25) + (g ^ e & (f ^ g))
        t2 = (aa >> 2 ^ aa >> 13 ^ aa >> 22) + (a & b | c & (a | b))
        h, g, f, e, d, c, b, a = g, f, e, d + t1 & _M, c, b, a, t1 + t2 & _M
    return tuple([(old + new) & _M for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)])


def advance(state: Words, data: bytes) -> tuple[Words, bytes]:
    """Compresses the whole blocks of `data`; gives the words and the rest, under 64 bytes."""
    whole = len(data) - len(data) % 64
    for at in range(0, whole, 64):
        state = compress(state, data[at : at + 64])
    return state, data[whole:]


def finish(state: Words, tail: bytes, size: int) -> bytes:
    """The 32-byte digest of a message of `size` bytes of which `tail` is the part not yet compressed."""
    padding = b"\x80" + bytes(-(len(tail) + 9) % 64) + (8 * size).to_bytes(8, "big")
    return struct.pack(">8I", *advance(state, tail + padding)[0])
