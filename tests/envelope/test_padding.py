"""Padding taken off here, against what `cryptography` puts on."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from hsmpub.envelope.padding import is_oaep, is_pkcs1
from tests.envelope.team import team


@settings(max_examples=25, deadline=None)
@given(
    content=st.binary(min_size=1, max_size=64), label=st.binary(max_size=8), name=st.sampled_from(("sha1", "sha256"))
)
def test_oaep_gives_back_what_was_padded_and_no_other_length(content: bytes, label: bytes, name: str) -> None:
    algorithm = SHA1() if name == "sha1" else SHA256()
    public = team().private.public_key()
    block = team().decrypt(public.encrypt(content, OAEP(MGF1(algorithm), algorithm, label)))
    assert is_oaep(block, len(content), label, name) == (True, bytearray(content))
    assert not is_oaep(block, len(content) + 1, label, name)[0]
    assert not is_oaep(block, len(content) - 1, label, name)[0]
    assert not is_oaep(block, len(content), label + b"!", name)[0]


@settings(max_examples=25, deadline=None)
@given(content=st.binary(min_size=1, max_size=64))
def test_pkcs1_gives_back_what_was_padded_and_no_other_length(content: bytes) -> None:
    block = team().decrypt(team().private.public_key().encrypt(content, PKCS1v15()))
    assert is_pkcs1(block, len(content)) == (True, bytearray(content))
    for length in (len(content) - 1, len(content) + 1):
        # one byte less is the same block when the content begins with what separates it
        assert not is_pkcs1(block, length)[0] or (length < len(content) and content[0] == 0)


@pytest.mark.parametrize("at", [0, 1, 40, 200, 384 - 17])
def test_any_byte_of_oaep_counts(at: int) -> None:
    block = team().decrypt(team().private.public_key().encrypt(b"k" * 16, OAEP(MGF1(SHA256()), SHA256(), None)))
    block[at] ^= 1
    assert not is_oaep(block, 16)[0]


@pytest.mark.parametrize(("at", "value"), [(0, 1), (1, 1), (2, 0), (200, 0), (384 - 17, 1)])
def test_any_byte_of_pkcs1_counts(at: int, value: int) -> None:
    block = team().decrypt(team().private.public_key().encrypt(b"k" * 16, PKCS1v15()))
    block[at] = value
    assert not is_pkcs1(block, 16)[0]
