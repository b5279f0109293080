"""A box opens with its key for its purpose, and not otherwise."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.secret.box import BoxKeyMalformed, BoxNotOpened, open_box, seal_box

#: How much longer a box is than what it holds, in bytes.
OVERHEAD = 48
KEY = X25519PrivateKey.generate()
PRIVATE, PUBLIC = KEY.private_bytes_raw(), KEY.public_key().public_bytes_raw()


@given(data=st.binary(max_size=500), info=st.binary(max_size=60))
def test_opens_to_what_was_sealed(data: bytes, info: bytes) -> None:
    box = seal_box(PUBLIC, info, data)
    assert len(box) == len(data) + OVERHEAD
    assert open_box(PRIVATE, info, box) == data


@given(place=st.integers(0, 20 + OVERHEAD - 1), bit=st.integers(0, 7))
def test_refuses_a_box_with_any_bit_flipped(place: int, bit: int) -> None:
    box = bytearray(seal_box(PUBLIC, b"info", b"x" * 20))
    box[place] ^= 1 << bit
    with pytest.raises(BoxNotOpened):
        open_box(PRIVATE, b"info", bytes(box))


def test_refuses_the_bit_that_x25519_itself_ignores() -> None:
    box = bytearray(seal_box(PUBLIC, b"info", b"secret"))
    box[31] ^= 0x80
    with pytest.raises(BoxNotOpened):
        open_box(PRIVATE, b"info", bytes(box))


@given(garbage=st.binary(max_size=100))
def test_refuses_garbage_with_its_own_rule(garbage: bytes) -> None:
    with pytest.raises(BoxNotOpened):
        open_box(PRIVATE, b"info", garbage)


def test_refuses_another_purpose() -> None:
    with pytest.raises(BoxNotOpened):
        open_box(PRIVATE, b"lease", seal_box(PUBLIC, b"intake", b"secret"))


def test_refuses_another_key() -> None:
    other = X25519PrivateKey.generate().private_bytes_raw()
    with pytest.raises(BoxNotOpened):
        open_box(other, b"info", seal_box(PUBLIC, b"info", b"secret"))


@pytest.mark.parametrize("public", [b"", b"x" * 31, b"x" * 33, bytes(32)])
def test_refuses_to_seal_to_what_is_no_key(public: bytes) -> None:
    with pytest.raises(BoxKeyMalformed):
        seal_box(public, b"info", b"secret")


def test_refuses_to_open_with_what_is_no_key() -> None:
    with pytest.raises(BoxKeyMalformed):
        open_box(b"short", b"info", seal_box(PUBLIC, b"info", b"secret"))


def test_reads_secrets_in_place_from_a_bytearray() -> None:
    box = seal_box(PUBLIC, b"info", bytearray(b"secret"))
    assert open_box(bytearray(PRIVATE), b"info", box) == b"secret"
