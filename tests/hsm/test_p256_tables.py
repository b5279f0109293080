"""Verification with tables of the pinned key says what `cryptography` says, of good signatures and of all others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from hypothesis import given, settings
from hypothesis import strategies as st

from hsmpub.hsm import verified
from hsmpub.hsm.p256 import PRIME, N, PinnedP256, inverses, pin_p256
from hsmpub.hsm.verified import WORTH_TABLES, EcdsaVerifier
from tests.hsm.conftest import Pools, Signers, Token
from tests.hsm.verify_raw import check_raw

SECRET = 0x1D0FB1E5C0FFEE
PRIVATE = ec.derive_private_key(SECRET, ec.SECP256R1())
DIGESTS = [hashlib.sha256(bytes([n])).digest() for n in range(16)]


def sign(digest: bytes, private: ec.EllipticCurvePrivateKey = PRIVATE) -> bytes:
    hashed = SHA512() if len(digest) == 64 else SHA256()
    r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(Prehashed(hashed))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGNATURES = [sign(digest) for digest in DIGESTS]


@pytest.fixture(scope="module")
def tables() -> PinnedP256:
    found = pin_p256(PRIVATE.public_key())
    assert found is not None, "this machine's libcrypto keeps no tables"
    return found


def test_takes_good_signatures_in_runs_of_any_length(tables: PinnedP256) -> None:
    for count in (0, 1, 2, 16):
        assert tables.is_good(SIGNATURES[:count], DIGESTS[:count])


def test_takes_the_leftmost_bits_of_a_longer_digest(tables: PinnedP256) -> None:
    digest = hashlib.sha512(b"x").digest()
    assert tables.is_good([sign(digest)], [digest])
    assert not tables.is_good([sign(digest)], [digest[1:] + digest[:1]])


@given(st.integers(0, 15), st.integers(0, 95), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_refuses_a_run_in_which_any_byte_was_altered(tables: PinnedP256, which: int, place: int, change: int) -> None:
    signatures, digests = list(SIGNATURES), list(DIGESTS)
    both = bytearray(signatures[which] + digests[which])
    both[place] ^= change
    signatures[which], digests[which] = bytes(both[:64]), bytes(both[64:])
    assert not tables.is_good(signatures, digests)


def test_refuses_the_signature_of_another_key(tables: PinnedP256) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    assert not tables.is_good([sign(DIGESTS[0], other)], DIGESTS[:1])


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize(
    "raw",
    [_raw(0, 1), _raw(1, 0), _raw(N, 1), _raw(1, N), _raw(N + 1, 1), bytes(64), b"\xff" * 64, b"", SIGNATURES[0][:63],
     SIGNATURES[0] + b"\0"],
    ids=["r zero", "s zero", "r of N", "s of N", "r above N", "zero", "highest", "empty", "short", "long"],
)  # fmt: skip
def test_refuses_numbers_out_of_range_and_other_lengths(tables: PinnedP256, raw: bytes) -> None:
    assert not tables.is_good([raw], DIGESTS[:1])
    assert not tables.is_good([SIGNATURES[0], raw], DIGESTS[:2])


def test_refuses_runs_of_unequal_length(tables: PinnedP256) -> None:
    assert not tables.is_good(SIGNATURES[:2], DIGESTS[:1])
    assert not tables.is_good(SIGNATURES[:1], DIGESTS[:2])


def test_refuses_the_point_at_infinity(tables: PinnedP256) -> None:
    """With e = -r·d both products cancel; no honest signer can be brought to it."""
    r = 12345
    assert not tables.is_good([_raw(r, 7)], [(-r * SECRET % N).to_bytes(32, "big")])


def test_takes_a_point_beyond_the_order_and_refuses_its_neighbours() -> None:
    """x mod N is all that a signature holds of its point; for one in 2^128 of them x is not below N. Nobody draws such
    a signature, so the key is made to fit one: R with a large x, then Q = (s·R - e·G) / r."""
    point = next(point for x in range(N, N + 64) if (point := _lift(x)))
    r, s, digest = point[0] - N, 77, hashlib.sha256(b"far").digest()
    generator = _lift(0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296)
    assert generator
    e = int.from_bytes(digest, "big")
    sum_ = _add(_times(s, point), _times(-e % N, generator))
    q = _times(pow(r, -1, N), sum_)
    public = ec.EllipticCurvePublicNumbers(*q, ec.SECP256R1()).public_key()
    der = encode_dss_signature(r, s)
    public.verify(der, digest, ec.ECDSA(Prehashed(SHA256())))  # `cryptography` says so, too
    tables = pin_p256(public)
    assert tables is not None
    assert tables.is_good([_raw(r, s)], [digest])
    assert not tables.is_good([_raw(r + 1, s)], [digest])
    assert not tables.is_good([_raw(r, s + 1)], [digest])


def _lift(x: int) -> tuple[int, int] | None:
    """A point of the curve with this x. Source: SP 800-186, 3.2.1.3."""
    right = (x**3 - 3 * x + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B) % PRIME
    y = pow(right, (PRIME + 1) // 4, PRIME)
    return (x, y) if y * y % PRIME == right else None


def _add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """For points that are no inverses of each other."""
    (x1, y1), (x2, y2) = one, other
    rise, run = ((3 * x1 * x1 - 3), 2 * y1) if one == other else (y2 - y1, x2 - x1)
    slope = rise * pow(run, -1, PRIME)
    x = (slope * slope - x1 - x2) % PRIME
    return x, (slope * (x1 - x) - y1) % PRIME


def _times(number: int, point: tuple[int, int]) -> tuple[int, int]:
    total = point
    for bit in bin(number)[3:]:
        total = _add(total, total)
        if bit == "1":
            total = _add(total, point)
    return total


def test_takes_a_digest_of_zero(tables: PinnedP256) -> None:
    assert tables.is_good([sign(bytes(32))], [bytes(32)])


@given(st.lists(st.integers(1, N - 1), max_size=9))
def test_inverses(numbers: Sequence[int]) -> None:
    assert [a * b % N for a, b in zip(numbers, inverses(numbers), strict=True)] == [1] * len(numbers)


def _verifier() -> EcdsaVerifier:
    return EcdsaVerifier(PRIVATE.public_key(), Prehashed(SHA256()))


def _use(verifier: EcdsaVerifier) -> None:
    for _ in range(-(-WORTH_TABLES // len(DIGESTS))):
        assert verifier.tables is None
        verifier.verify(SIGNATURES, DIGESTS)


def _refuses_altered(verifier: EcdsaVerifier) -> None:
    for signatures in ([*SIGNATURES[:15], SIGNATURES[0]], [b"", *SIGNATURES[1:]]):
        with pytest.raises(InvalidSignature):
            verifier.verify(signatures, DIGESTS)


def test_tables_take_over_when_they_pay_and_refuse_as_before() -> None:
    verifier = _verifier()
    _refuses_altered(verifier)
    _use(verifier)
    assert verifier.tables is not None
    verifier.verify(SIGNATURES, DIGESTS)
    _refuses_altered(verifier)


@pytest.mark.parametrize("says", [True, False])
def test_tables_that_disagree_with_cryptography_are_never_used(says: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar:
        def is_good(self, signatures: Sequence[bytes], digests: Sequence[bytes]) -> bool:
            return says

    monkeypatch.setattr(verified, "pin_p256", lambda public: Liar())
    verifier = _verifier()
    _use(verifier)
    assert verifier.tables is None
    verifier.verify(SIGNATURES, DIGESTS)
    _refuses_altered(verifier)


def test_verifies_without_tables_where_no_libcrypto_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsmpub.hsm.p256.libcryptos", lambda: iter(()))
    verifier = _verifier()
    _use(verifier)
    assert verifier.tables is None
    _refuses_altered(verifier)


def test_signers_with_tables_sign_what_others_verify(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        digests = [hashlib.sha256(n.to_bytes(2, "big")).digest() for n in range(2 * WORTH_TABLES + 64)]
        signatures = await pool.sign("release", digests)
        for n in (0, len(digests) - 1):
            check_raw(token.keys[0], signatures[n], n.to_bytes(2, "big"))

    pools.run(token, body, workers=1)
