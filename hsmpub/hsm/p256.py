"""Verifying many P-256 signatures by one public key, with tables of that key's multiples.

What a verification spends its time on are the doublings of the public key, and they are the same each time. So they are
made once, and `u1·G + u2·Q` comes out of two tables (OpenSSL's `EC_GROUP_precompute_mult`, with Q as generator): 22 µs
instead of 62. The arithmetic is libcrypto's; the equation stands here. Everything is public, so nothing has to take
the same time. Source: FIPS 186-5, 6.4.2; that no point is brought to affine form, which takes an inversion: ibid. and
SEC 1, 2.2.1 (x = X/Z²).

Not every libcrypto has such tables: whoever uses this falls back on the general verification.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.libcrypto import libcryptos

#: Order of the group. Source: SP 800-186, 3.2.1.3.
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
#: The prime of its coordinates. Source: ibid.
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_NID = 415  # NID_X9_62_prime256v1
_P, _INT = ctypes.c_void_p, ctypes.c_int
_FUNCTIONS: dict[str, tuple[object, ...]] = {  # name → result, arguments
    "BN_CTX_new": (_P,),
    "BN_new": (_P,),
    "BN_bin2bn": (_P, ctypes.c_char_p, _INT, _P),
    "BN_bn2binpad": (_INT, _P, ctypes.c_char_p, _INT),
    "EC_GROUP_new_by_curve_name": (_P, _INT),
    "EC_GROUP_get0_order": (_P, _P),
    "EC_GROUP_get0_cofactor": (_P, _P),
    "EC_GROUP_set_generator": (_INT, _P, _P, _P, _P),
    "EC_GROUP_precompute_mult": (_INT, _P, _P),
    "EC_GROUP_have_precompute_mult": (_INT, _P),
    "EC_POINT_new": (_P, _P),
    "EC_POINT_oct2point": (_INT, _P, _P, ctypes.c_char_p, ctypes.c_size_t, _P),
    "EC_POINT_mul": (_INT, _P, _P, _P, _P, _P, _P),
    "EC_POINT_add": (_INT, _P, _P, _P, _P, _P),
    "EC_POINT_get_Jprojective_coordinates_GFp": (_INT, _P, _P, _P, _P, _P, _P),
}


class NoTables(Exception):
    """This libcrypto keeps no tables for a point of one's own."""


class PinnedP256:
    """One public key and its tables (150 KB, made in 30 ms, kept for the life of the process). For one thread."""

    def __init__(self, library: ctypes.CDLL, public: EllipticCurvePublicKey) -> None:
        """Raises NoTables."""
        try:
            call = {name: getattr(library, name) for name in _FUNCTIONS}
        except AttributeError as error:
            raise NoTables from error
        for name, (result, *arguments) in _FUNCTIONS.items():
            call[name].restype, call[name].argtypes = result, arguments
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._g, self._q = (call["EC_GROUP_new_by_curve_name"](_NID) for _ in range(2))
        self._left, self._right = (call["EC_POINT_new"](self._g) for _ in range(2))
        self._u1, self._u2, self._x, self._z = (call["BN_new"]() for _ in range(4))
        self._room = call["BN_CTX_new"]()  # else each call makes one of its own
        self._x_out, self._z_out = (ctypes.create_string_buffer(32) for _ in range(2))
        self._number, self._bytes = call["BN_bin2bn"], call["BN_bn2binpad"]
        self._mul, self._add, self._coordinates = (
            call["EC_POINT_mul"], call["EC_POINT_add"], call["EC_POINT_get_Jprojective_coordinates_GFp"],
        )  # fmt: skip
        q, order, cofactor = self._right, call["EC_GROUP_get0_order"](self._g), call["EC_GROUP_get0_cofactor"](self._g)
        made = (
            call["EC_POINT_oct2point"](self._g, q, point, len(point), None) == 1
            and call["EC_GROUP_set_generator"](self._q, q, order, cofactor) == 1
            and call["EC_GROUP_precompute_mult"](self._q, None) == 1
            and call["EC_GROUP_have_precompute_mult"](self._q) == 1
        )
        if not made:
            raise NoTables

    def is_good(self, signatures: Sequence[bytes], digests: Sequence[bytes]) -> bool:
        """Whether each signature (raw r||s) is one of the key over its digest (32 bytes or more)."""
        if len(signatures) != len(digests) or any(len(raw) != 64 for raw in signatures):
            return False
        number = int.from_bytes
        r = [number(raw[:32], "big") for raw in signatures]
        s = [number(raw[32:], "big") for raw in signatures]
        if not all(0 < part < N for part in (*r, *s)):
            return False
        return all(
            self._is_at(one, number(digest[:32], "big") * w % N, one * w % N)
            for one, w, digest in zip(r, inverses(s), digests, strict=True)
        )

    def _is_at(self, r: int, u1: int, u2: int) -> bool:
        """Whether u1·G + u2·Q is a point (not the one at infinity) with `x mod N` = r: that X = x·Z², for x = r or the
        one other x below the prime."""
        self._number(u1.to_bytes(32, "big"), 32, self._u1)
        self._number(u2.to_bytes(32, "big"), 32, self._u2)
        done = (
            self._mul(self._g, self._left, self._u1, None, None, self._room)
            and self._mul(self._q, self._right, self._u2, None, None, self._room)
            and self._add(self._g, self._left, self._left, self._right, self._room)
            and self._coordinates(self._g, self._left, self._x, None, self._z, self._room)
            and self._bytes(self._x, self._x_out, 32) == 32
            and self._bytes(self._z, self._z_out, 32) == 32
        )
        x, z = (int.from_bytes(out.raw, "big") for out in (self._x_out, self._z_out))
        if not done or not z:
            return False
        square = z * z % PRIME
        return x == r * square % PRIME or (r < PRIME - N and x == (r + N) * square % PRIME)


def inverses(numbers: Sequence[int]) -> list[int]:
    """Inverses mod N of numbers that have one, for the price of one inversion (Montgomery's trick)."""
    product, before = 1, []
    for number in numbers:
        before.append(product)
        product = product * number % N
    inverse, found = pow(product, -1, N), []
    for number, others in zip(reversed(numbers), reversed(before), strict=True):
        found.append(inverse * others % N)
        inverse = inverse * number % N
    return found[::-1]


def pin_p256(public: EllipticCurvePublicKey) -> PinnedP256 | None:
    """Tables of this key, or None: another curve, or no libcrypto here has them."""
    if not isinstance(public.curve, SECP256R1):
        return None
    for library in libcryptos():
        try:
            return PinnedP256(library, public)
        except NoTables:
            continue
    return None
