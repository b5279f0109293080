"""What is written behind arrives whole and in order, and a disk that refuses is heard of."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client import write_behind
from hsmpub.client.write_behind import WriteBehind


@pytest.fixture(scope="module")
def beside() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@given(st.lists(st.binary(max_size=40)))
def test_all_pieces_arrive_in_order(beside: Executor, pieces: list[bytes]) -> None:
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_behind, "_PIECE_BYTES", 32)
        behind = WriteBehind(file, beside)
        for piece in pieces:
            behind.write(piece)
        behind.flush()
    assert file.getvalue() == b"".join(pieces)


def test_a_full_disk_is_heard_of_before_the_end(beside: Executor) -> None:
    with Path("/dev/full").open("wb") as full:
        behind = WriteBehind(full, beside)
        behind.write(bytes(1 << 20))
        with pytest.raises(OSError, match="No space left"):
            behind.write(bytes(1 << 20))


def test_a_full_disk_is_heard_of_at_the_end(beside: Executor) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        behind = WriteBehind(full, beside)
        behind.write(b"x")
        with pytest.raises(OSError, match="No space left"):
            behind.flush()
