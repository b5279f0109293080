"""The hash of a large file, begun by a process of its own before the command's imports."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hsmpub.cli.begun import _WORTH_A_PROCESS

_HEAD = """
import os, sys, time
from hsmpub.cli import begun
words, file = sys.argv[1:], sys.argv[-1]
"""
_FINISH = """
from hsmpub.formats.sha256state import Sha256State
seen = []
print(Sha256State(*begun.finish_hash(os.stat(file), seen.append)).digest().hex(), sum(seen))
"""


def said(code: str, *words: str | Path) -> str:
    """By an interpreter of its own: this one has threads, and is not forked."""
    command = [sys.executable, "-c", _HEAD + code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.write(os.urandom(1 << 16))
        file.truncate(_WORTH_A_PROCESS)
    return path


@pytest.mark.parametrize("more", [0, 1, 64, (8 << 20) + 63])
def test_the_hash_is_that_of_the_file_and_progress_adds_up(large: Path, more: int) -> None:
    with large.open("ab") as file:
        file.write(os.urandom(more))
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    assert said("begun.begin_hash(words)" + _FINISH, "--format", "sshsig", large) == f"{digest} {32 * 2**20 + more}"


def test_a_file_that_was_written_to_since_is_not_taken_for_the_one_that_was_hashed(large: Path) -> None:
    meddle = """
begun.begin_hash(words)
time.sleep(0.05)
with open(file, "r+b") as out: out.write(b"other")
print(begun.finish_hash(os.stat(file), None))
"""
    assert said(meddle, large) == "None"


def test_a_file_that_is_cut_short_under_the_process_ends_that_process_alone(large: Path) -> None:
    os.truncate(large, 8 << 30)  # sparse: more than can be hashed before it is cut
    cut = """
begun.begin_hash(words)
status = os.stat(file)
os.truncate(file, 1)
print(begun.finish_hash(status, None))
"""
    assert said(cut, large) == "None"


def test_a_process_whose_hash_nobody_wants_ends(large: Path) -> None:
    os.truncate(large, 64 << 30)
    drop = """
begun.begin_hash(words)
[one] = begun._begun
os.close(one._pipe)
os.waitpid(one._process, 0)
print("ended")
"""
    assert said(drop, large) == "ended"


def test_nothing_is_begun_for_uploads_small_files_and_what_is_no_file(large: Path, tmp_path: Path) -> None:
    small, pipe = tmp_path / "small", tmp_path / "pipe"
    small.write_bytes(b"small")
    os.mkfifo(pipe)
    count = "begun.begin_hash(words); print(len(begun._begun))"
    assert said(count, "--upload", large) == "0"
    assert said(count, f"--output={large}", small, pipe, tmp_path, tmp_path / "none", "") == "0"
    assert said(count, small, pipe, large, large) == "1"


def test_a_process_with_threads_is_not_forked(large: Path) -> None:
    threads = "import threading; threading.Thread(target=time.sleep, args=(0.5,)).start()\n"
    assert said(threads + "begun.begin_hash(words); print(len(begun._begun))", large) == "0"
