"""Scratch folders: gone at the end, and after a kill at the next work of the same kind; nobody else's is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hsmpub.scratch import remove_left, scratch_folder

HOLD = """
import sys, pathlib
sys.path[:0] = {paths!r}
from hsmpub.scratch import scratch_folder
with scratch_folder("work-", pathlib.Path(sys.argv[1])) as folder:
    (folder / "part").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that works in a folder of its own, until it is killed or its input ends."""
    program = [sys.executable, "-c", HOLD.format(paths=sys.path), str(tmp_path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def folder_of(other: subprocess.Popen[str]) -> Path:
    assert other.stdout is not None
    return Path(other.stdout.readline().strip())


def test_it_is_private_and_gone_at_the_end_and_after_a_failure(tmp_path: Path) -> None:
    with scratch_folder("work-", tmp_path) as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ZeroDivisionError), scratch_folder("work-", tmp_path):
        _ = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_killed_leaves_nothing_after_the_next(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    left = folder_of(other)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (left / "part").exists()
    with scratch_folder("work-", tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_one_that_is_at_work_is_left_alone(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    used = folder_of(other)
    with scratch_folder("work-", tmp_path) as folder:
        assert {folder, used} == set(tmp_path.iterdir())
    assert remove_left("work-", tmp_path) == 0
    assert (used / "part").exists()
    other.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_its_own_is_removed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    others = [tmp_path / "work-notes", tmp_path / "work-2026-year", tmp_path / "other-abcdefgh"]
    for path in others:
        path.mkdir()
    (tmp_path / "work-abcdefgh").symlink_to(kept)
    (tmp_path / "work-abcdefg1").write_text("a file")
    if os.geteuid() == 0:
        foreign = tmp_path / "work-abcdefg2"
        foreign.mkdir()
        os.chown(foreign, 12345, 12345)
        others.append(foreign)
    assert remove_left("work-", tmp_path) == 0
    assert all(path.is_dir() for path in others)
    assert (tmp_path / "work-abcdefgh").is_symlink()
