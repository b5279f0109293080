"""Takes the padding off decrypted RSA blocks. The length of the content is known beforehand in every form that is read
here, so nothing in a block is searched for: all of it is computed and compared, and one answer comes out.

What an answer gives away to somebody who may choose blocks (Bleichenbacher 1998, Manger 2001) is bounded by who may
ask: each block takes a request with its approvals, and every failure is the same refusal.
Source: RFC 8017, 7.1.2 (OAEP), 7.2.2 (PKCS#1 v1.5).
"""

from __future__ import annotations

import hashlib
import hmac

from hsmpub.secret.page import wipe

_HASH = "sha256"
_HASH_BYTES = 32


def is_oaep(block: bytearray, length: int, label: bytes = b"") -> tuple[bool, bytearray]:
    """OAEP with SHA-256 for both hashes.

    Args:
        block: as the key decrypted it, as long as its modulus; left as it is.
        length: bytes that the content must have.

    Returns:
        Whether all of the padding is right, and the last `length` bytes, which mean nothing if it is not.
    """
    seed = _masked(memoryview(block)[1 : 1 + _HASH_BYTES], memoryview(block)[1 + _HASH_BYTES :])
    content = _masked(memoryview(block)[1 + _HASH_BYTES :], seed)
    wipe(seed)
    wanted = hashlib.new(_HASH, label).digest()
    wanted += bytes(len(content) - _HASH_BYTES - 1 - length) + b"\x01"
    with memoryview(content) as view:
        right = hmac.compare_digest(view[: len(wanted)], wanted) & (block[0] == 0)
        found = bytearray(view[len(wanted) :])
    wipe(content)
    return bool(right), found


def is_pkcs1(block: bytearray, length: int) -> tuple[bool, bytearray]:
    """PKCS#1 v1.5, type 2. Arguments and answer as for `is_oaep`."""
    with memoryview(block) as view:
        filler = view[2 : -length - 1]
        zeros = sum(byte == 0 for byte in filler)  # every byte is looked at
        right = (view[0] == 0) & (view[1] == 2) & (zeros == 0) & (view[-length - 1] == 0)
        return bool(right), bytearray(view[-length:])


def _masked(data: memoryview, seed: memoryview | bytearray) -> bytearray:
    """`data` xor MGF1(seed). Source: RFC 8017, B.2.1."""
    mask = bytearray()
    for counter in range(-(-len(data) // _HASH_BYTES)):
        mask += hashlib.new(_HASH, bytes(seed) + counter.to_bytes(4, "big")).digest()
    out = bytearray(a ^ b for a, b in zip(data, mask, strict=False))
    wipe(mask)
    return out
