"""The unfinished hash: equal to hashlib in every way, and nothing but the state of a file is taken."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.formats import sha256_block, sha256state
from hsmpub.formats.sha256_block import IV
from hsmpub.formats.sha256_libcrypto import find_libcrypto
from hsmpub.formats.sha256state import HashStateMalformed, HeldSha256, Sha256State
from hsmpub.model.submission import HashState

IV_HEX = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"


@pytest.fixture(params=["libcrypto", "plain"])
def arithmetic(request, monkeypatch):
    """Both ways to compute, one after the other."""
    if request.param == "plain":
        monkeypatch.setattr(sha256state, "_native", None)
    elif find_libcrypto() is None:
        pytest.skip("no libcrypto with low-level functions")


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 1000])
@pytest.mark.parametrize("more", [b"", b"x" * 8, b"y" * 41, b"z" * 64, b"w" * 200])
def test_continues_as_hashlib_does(arithmetic, size, more):
    data = bytes(i * 7 & 255 for i in range(size))
    state = Sha256State.of_state(Sha256State.of(data).to_state("x"))
    assert state.digest() == hashlib.sha256(data).digest()
    longer = state.with_suffix(more)
    assert (longer.digest(), longer.size) == (hashlib.sha256(data + more).digest(), size + len(more))
    assert state.digest() == hashlib.sha256(data).digest()


@given(st.binary(max_size=300), st.lists(st.binary(max_size=150), max_size=4))
def test_plain_and_libcrypto_agree_on_any_pieces(data, pieces):
    native = find_libcrypto()
    words, tail = sha256_block.advance(IV, data)
    size = len(data)
    for piece in pieces:
        if native:
            assert native.advance(words, tail, size, piece) == sha256_block.advance(words, tail + piece)
        words, tail = sha256_block.advance(words, tail + piece)
        size += len(piece)
    digest = sha256_block.finish(words, tail, size)
    assert digest == hashlib.sha256(data + b"".join(pieces)).digest()
    assert native is None or digest == native.finish(words, tail, size)


def test_continues_a_file_of_five_gib_by_its_state():
    size = 5 * 2**30 + 3
    state = Sha256State.of_state(HashState("big", "11" * 32, "aabbcc", size))
    assert state.digest() == sha256_block.finish((0x11111111,) * 8, bytes.fromhex("aabbcc"), size)


def test_a_held_hash_and_a_state_say_the_same():
    held = HeldSha256(hashlib.sha256(b"abc" * 50), 150)
    state = Sha256State.of(b"abc" * 50)
    assert (held.digest(), held.size) == (state.digest(), state.size)
    assert held.with_suffix(b"end").digest() == state.with_suffix(b"end").digest()
    assert held.digest() == state.digest()


@pytest.mark.parametrize(
    ("h", "tail", "size"),
    [
        ("11" * 31, "", 64),
        ("11" * 33, "", 64),
        ("zz" * 32, "", 64),
        ("AA" * 32, "", 64),
        (" " + "11" * 32, "", 64),
        ("11" * 32, "aa", 64),
        ("11" * 32, "", 65),
        ("11" * 32, "aa" * 64, 128),
        ("11" * 32, "a", 65),
        ("11" * 32, "AA", 65),
        ("11" * 32, "", -64),
        ("11" * 32, "", 2**61),
        ("11" * 32, "aa", 1),
        (IV_HEX, "", 64),
    ],
)
def test_refuses_what_is_the_state_of_no_file(h, tail, size):
    with pytest.raises(HashStateMalformed):
        Sha256State.of_state(HashState("x", h, tail, size))


@given(st.text(max_size=80), st.text(max_size=140), st.integers())
def test_refuses_or_takes_any_state_without_crashing(h, tail, size):
    with contextlib.suppress(HashStateMalformed):
        Sha256State.of_state(HashState("x", h, tail, size))
