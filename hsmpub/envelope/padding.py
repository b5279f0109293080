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


def is_oaep(block: bytearray, length: int, label: bytes = b"", hash_name: str = "sha256") -> tuple[bool, bytearray]:
    """OAEP with one hash in both places.

    Args:
        block: as the key decrypted it, as long as its modulus; left as it is.
        length: bytes that the content must have.

    Returns:
        Whether all of the padding is right, and the last `length` bytes, which mean nothing if it is not.
    """
    wanted = hashlib.new(hash_name, label).digest()
    size = len(wanted)
    with memoryview(block) as view:
        seed = _masked(view[1 : 1 + size], view[1 + size :], hash_name)
        content = _masked(view[1 + size :], seed, hash_name)
    wipe(seed)
    wanted += bytes(len(content) - size - 1 - length) + b"\x01"
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


def _masked(data: memoryview, seed: memoryview | bytearray, hash_name: str) -> bytearray:
    """`data` xor MGF1(seed). Source: RFC 8017, B.2.1."""
    mask, counter = bytearray(), 0
    while len(mask) < len(data):
        mask += hashlib.new(hash_name, bytes(seed) + counter.to_bytes(4, "big")).digest()
        counter += 1
    out = bytearray(a ^ b for a, b in zip(data, mask, strict=False))
    wipe(mask)
    return out
