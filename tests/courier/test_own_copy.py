"""What is published is read once from the store, whatever the front puts there meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hsmpub.courier.own_copy import own_copy
from hsmpub.targets.target import ArtifactChanged


def test_a_change_in_the_store_does_not_reach_the_copy(tmp_path: Path) -> None:
    stored, copy = tmp_path / "stored", tmp_path / "copy"
    stored.write_bytes(b"approved")
    copy.write_bytes(b"left by a child that was killed, and longer")
    with own_copy(stored, 8, copy) as own:
        stored.write_bytes(b"another!")
        assert own.read_bytes() == b"approved"
    assert not copy.exists()


def link(path: Path) -> None:
    other = path.with_name("courier's own")
    other.write_bytes(b"approved")
    path.symlink_to(other)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def longer(path: Path) -> None:
    path.write_bytes(b"approved, and more")


def shorter(path: Path) -> None:
    path.write_bytes(b"appr")


def nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize("put", [link, pipe, longer, shorter, nothing])
def test_only_a_plain_file_of_the_approved_size_is_copied(put: Callable[[Path], None], tmp_path: Path) -> None:
    put(tmp_path / "stored")
    with pytest.raises(ArtifactChanged), own_copy(tmp_path / "stored", 8, tmp_path / "copy"):
        raise AssertionError("it was copied")
    assert not (tmp_path / "copy").exists()
