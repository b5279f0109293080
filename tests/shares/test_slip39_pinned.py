"""SLIP-39 with a pinned header: the official vectors, and forged shares."""

from __future__ import annotations

import dataclasses
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shamir_mnemonic.share import Share

from hsmpub.errors import HsmpubError
from hsmpub.shares.layout import Layout
from hsmpub.shares.slip39 import (
    ShareHeaderLies,
    ShareMalformed,
    ShareOfAnotherEpoch,
    SharesDoNotCombine,
    canonical,
    check_header,
    combine_shares,
    read_share,
    split_secret,
)

# SLIP-0039 test vectors of the standard's authors (MIT), as packed in npm's slip39 0.1.9; passphrase "TREZOR".
VECTORS: list[Any] = json.loads(Path(__file__).with_name("slip39_vectors.json").read_text())
THREE_OF_FIVE = Layout(4321, True, 1, 1, ((3, 5),))


def layout_of(shares: list[Share]) -> Layout:
    """What a ceremony would have recorded for a good vector; the header of the first share for a bad one."""
    first = shares[0]
    groups = {share.group_index: (share.member_threshold, 16) for share in reversed(shares)}
    return Layout(
        first.identifier, first.extendable, first.iteration_exponent, first.group_threshold,
        tuple(groups.get(index, (2, 2)) for index in range(first.group_count)),
    )  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=[vector[0] for vector in VECTORS])
def test_official_vector(vector: Any) -> None:
    _, mnemonics, secret, _ = vector

    def combine() -> bytearray:
        shares = [read_share(canonical(mnemonic.encode())) for mnemonic in mnemonics]
        return combine_shares(shares, layout_of(shares), b"TREZOR")

    if secret:
        assert combine().hex() == secret
    else:
        with pytest.raises(HsmpubError) as refusal:
            combine()
        words = {word for mnemonic in mnemonics for word in mnemonic.split()}
        assert not words & set(str(refusal.value).replace(".", " ").replace(":", " ").split()) - ENGLISH


#: words of the list that our sentences use as English
ENGLISH = {"member", "exact", "spelling"}


@given(
    secret=st.binary(min_size=32, max_size=32),
    threshold=st.integers(2, 5),
    extra=st.integers(0, 3),
    start=st.integers(0, 3),
)
def test_any_threshold_of_the_shares_gives_the_secret(secret: bytes, threshold: int, extra: int, start: int) -> None:
    layout = Layout(7, True, 0, 1, ((threshold, threshold + extra),))
    (mnemonics,) = split_secret(secret, layout)
    shares = [read_share(mnemonic) for mnemonic in mnemonics]
    chosen = [shares[(start + n) % len(shares)] for n in range(threshold)]
    assert combine_shares(chosen, layout) == secret
    with pytest.raises(SharesDoNotCombine):
        combine_shares(chosen[:-1], layout)


@given(st.binary(max_size=400))
def test_refuses_anything_that_is_no_share(data: bytes) -> None:
    with pytest.raises(ShareMalformed):
        read_share(canonical(data))


def three_shares() -> list[Share]:
    (mnemonics,) = split_secret(secrets.token_bytes(32), THREE_OF_FIVE)
    return [read_share(mnemonic) for mnemonic in mnemonics[:3]]


def test_refuses_a_poisoned_share_that_claims_to_be_enough_alone() -> None:
    poison = dataclasses.replace(three_shares()[0], member_threshold=1, value=b"a" * 32)
    assert read_share(bytearray(poison.mnemonic(), "ascii")).member_threshold == 1  # it has a right checksum
    with pytest.raises(ShareHeaderLies, match="threshold of 1; the ceremony made it 3"):
        combine_shares([poison], THREE_OF_FIVE)


@pytest.mark.parametrize(
    "lie",
    [
        {"member_threshold": 2}, {"group_count": 2}, {"group_index": 1, "group_count": 2},
        {"group_threshold": 2, "group_count": 2}, {"index": 9}, {"iteration_exponent": 3}, {"extendable": False},
    ],
    ids=str,
)  # fmt: skip
def test_refuses_a_share_whose_header_lies(lie: dict[str, int]) -> None:
    with pytest.raises(ShareHeaderLies):
        check_header(dataclasses.replace(three_shares()[0], **lie), THREE_OF_FIVE)


def test_refuses_a_share_of_another_set() -> None:
    with pytest.raises(ShareOfAnotherEpoch):
        check_header(dataclasses.replace(three_shares()[0], identifier=4322), THREE_OF_FIVE)


def test_refuses_the_same_share_twice_and_one_too_many() -> None:
    first, second, _ = three_shares()
    with pytest.raises(SharesDoNotCombine, match="twice"):
        combine_shares([first, second, first], THREE_OF_FIVE)
    (mnemonics,) = split_secret(secrets.token_bytes(32), THREE_OF_FIVE)
    with pytest.raises(SharesDoNotCombine, match="4 shares are here; 3 are needed"):
        combine_shares([read_share(mnemonic) for mnemonic in mnemonics[:4]], THREE_OF_FIVE)


def test_refuses_two_of_three_when_one_share_has_another_value() -> None:
    first, second, third = three_shares()
    forged = dataclasses.replace(third, value=secrets.token_bytes(32))
    with pytest.raises(SharesDoNotCombine, match="do not fit together"):
        combine_shares([first, second, forged], THREE_OF_FIVE)


def test_a_misspelt_word_is_refused_without_any_word_in_the_error_or_its_context() -> None:
    (mnemonics,) = split_secret(secrets.token_bytes(32), THREE_OF_FIVE)
    words = mnemonics[0].decode().split()
    words[20] = "zzzmisspelt"
    with pytest.raises(ShareMalformed) as refusal:
        read_share(" ".join(words).encode())
    assert refusal.value.__context__ is None
    assert "zzzmisspelt" not in repr(refusal.value)
    assert words[5] not in str(refusal.value).split()


def test_spelling_in_capitals_and_with_line_breaks_is_the_same_share() -> None:
    (mnemonics,) = split_secret(secrets.token_bytes(32), THREE_OF_FIVE)
    typed = b"  " + mnemonics[0].upper().replace(b" ", b" \n\t") + b"\r\n"
    assert canonical(typed) == mnemonics[0]
