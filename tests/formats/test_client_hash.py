"""The client's own hashing: the same digest as hashlib, of a file that holds still."""

from __future__ import annotations

import hashlib
import os

import pytest

from hsmpub.artifact.plain_file import NotAPlainFile
from hsmpub.client import sha256
from hsmpub.client.sha256 import FileChanged, LibcryptoMissing, can_hash, hash_file
from hsmpub.formats.sha256state import Sha256State

needs_libcrypto = pytest.mark.skipif(not can_hash(), reason="no libcrypto with low-level functions")


@needs_libcrypto
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 77])
def test_state_of_a_file_gives_its_digest(tmp_path, size):
    path = tmp_path / "x.bin"
    data = os.urandom(size)
    path.write_bytes(data)
    state = hash_file(path)
    assert (state.name, state.size, len(state.h)) == ("x.bin", size, 64)
    assert Sha256State.of_state(state).digest() == hashlib.sha256(data).digest()


@needs_libcrypto
def test_reports_progress(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(3 * 2**20))
    seen = []
    hash_file(path, progress=seen.append)
    assert sum(seen) == 3 * 2**20


@needs_libcrypto
@pytest.mark.parametrize("change", ["appended", "overwritten", "truncated"])
def test_refuses_a_file_that_changes_while_it_is_hashed(tmp_path, change):
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(3 * 2**20))
    os.utime(path, (1, 1))

    def meddle(_count: int) -> None:
        with path.open("r+b") as file:
            if change == "truncated":
                file.truncate(100)
            else:
                file.seek(0, os.SEEK_END if change == "appended" else os.SEEK_SET)
                file.write(b"x")

    with pytest.raises(FileChanged):
        hash_file(path, progress=meddle)


@needs_libcrypto
def test_refuses_what_is_no_plain_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(NotAPlainFile):
            hash_file(path)


def test_says_that_uploading_helps_where_libcrypto_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(sha256, "find_libcrypto", lambda: None)
    (tmp_path / "x").write_bytes(b"x")
    assert not can_hash()
    with pytest.raises(LibcryptoMissing) as refused:
        hash_file(tmp_path / "x")
    assert "upload" in refused.value.next_step.lower()
