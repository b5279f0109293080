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
from functools import partial

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
        g, q = (call["EC_GROUP_new_by_curve_name"](_NID) for _ in range(2))
        left, right = (call["EC_POINT_new"](g) for _ in range(2))
        self._u1, self._u2, x, z = (call["BN_new"]() for _ in range(4))
        room = call["BN_CTX_new"]()  # else each call makes one of its own
        self._x, self._z = (ctypes.create_string_buffer(32) for _ in range(2))
        self._number = call["BN_bin2bn"]
        # what is the same for every signature is bound here
        self._times_g = partial(call["EC_POINT_mul"], g, left, self._u1, None, None, room)
        self._times_q = partial(call["EC_POINT_mul"], q, right, self._u2, None, None, room)
        self._add = partial(call["EC_POINT_add"], g, left, left, right, room)
        self._coordinates = partial(call["EC_POINT_get_Jprojective_coordinates_GFp"], g, left, x, None, z, room)
        self._put_x, self._put_z = (partial(call["BN_bn2binpad"], *one, 32) for one in ((x, self._x), (z, self._z)))
        order, cofactor = call["EC_GROUP_get0_order"](g), call["EC_GROUP_get0_cofactor"](g)
        made = (
            call["EC_POINT_oct2point"](g, right, point, len(point), None) == 1
            and call["EC_GROUP_set_generator"](q, right, order, cofactor) == 1
            and call["EC_GROUP_precompute_mult"](q, None) == 1
            and call["EC_GROUP_have_precompute_mult"](q) == 1
        )
        if not made:
            raise NoTables

    def is_good(self, signatures: Sequence[bytes], digests: Sequence[bytes]) -> bool:
        """Whether each signature (raw r||s) is one of the key over its digest (32 bytes or more)."""
        if len(signatures) != len(digests) or set(map(len, signatures)) - {64}:
            return False
        number = int.from_bytes
        r = [number(raw[:32], "big") for raw in signatures]
        s = [number(raw[32:], "big") for raw in signatures]
        if r and not 0 < min(r + s) <= max(r + s) < N:
            return False
        for one, w, digest in zip(r, inverses(s), digests, strict=True):
            if not self._is_at(one, number(digest[:32], "big") * w % N, one * w % N):
                return False
        return True

    def _is_at(self, r: int, u1: int, u2: int) -> bool:
        """Whether u1·G + u2·Q is a point (not the one at infinity) with `x mod N` = r: that X = x·Z², for x = r or the
        one other x below the prime."""
        self._number(u1.to_bytes(32, "big"), 32, self._u1)
        self._number(u2.to_bytes(32, "big"), 32, self._u2)
        done = self._times_g() and self._times_q() and self._add() and self._coordinates()
        if not done or self._put_x() != 32 or self._put_z() != 32:
            return False
        x, z = int.from_bytes(self._x.raw, "big"), int.from_bytes(self._z.raw, "big")
        square = z * z % PRIME
        return z != 0 and (x == r * square % PRIME or (r < PRIME - N and x == (r + N) * square % PRIME))


def inverses(numbers: Sequence[int]) -> list[int]:
    """Inverses mod N of numbers that have one, for the price of one inversion (Montgomery's trick)."""
    product, before = 1, [1]
    before += [product := product * number % N for number in numbers]
    inverse, found = pow(before.pop(), -1, N), []
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
