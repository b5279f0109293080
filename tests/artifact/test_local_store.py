"""Local files: durable in the right order, clean after crashes and on a full disk, blind to links."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hsmpub.artifact import LocalStore
from hsmpub.artifact import store as rule
from hsmpub.artifact.store import CHUNK

REPOSITORY = Path(__file__).parents[2]


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_file_has_its_name_only_after_it_reached_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        done.append(f"fsync {'folder' if path.is_dir() else 'file'}")
        fsync(fd)

    def watched_rename(source: Path, target: Path) -> None:
        done.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    asyncio.run(LocalStore(tmp_path).write(stream(b"release")))
    assert done == ["fsync file", "fsync folder", "rename", "fsync folder"]


def test_stored_files_cannot_be_written_and_are_found_by_digest(tmp_path: Path) -> None:
    stored = asyncio.run(LocalStore(tmp_path).write(stream(b"release")))
    path = tmp_path / stored.sha256[:2] / stored.sha256
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]
    assert path.stat().st_mode & 0o777 == 0o440


WRITER = """
import asyncio, sys
from pathlib import Path
from hsmpub.artifact import LocalStore
from hsmpub.artifact.store import CHUNK

async def stuck():
    yield b"x" * (CHUNK + 1)
    print("writing", flush=True)
    await asyncio.Event().wait()

asyncio.run(LocalStore(Path(sys.argv[1])).write(stuck()))
"""


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    store = LocalStore(tmp_path)
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            assert store.collect_stale() == 0
            assert len(files(tmp_path)) == 1
        finally:
            writer.kill()
    assert store.collect_stale() == 1
    assert files(tmp_path) == []


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from hsmpub.artifact import LocalStore
from hsmpub.artifact.store import ArtifactStoreFull, CHUNK

if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK, CHUNK))

async def much():
    for _ in range(8):
        yield b"x" * CHUNK

try:
    asyncio.run(LocalStore(Path(sys.argv[1])).write(much()))
except ArtifactStoreFull as e:
    assert e.retry
    print(e.rule, sorted(Path(sys.argv[1]).iterdir()))
"""


def test_refuses_at_a_file_size_limit_and_keeps_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path), "limit"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert said == "artifact-store-full []\n"


def test_refuses_on_a_full_disk_and_keeps_nothing(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=3m tmpfs "$1" && exec "$2" -c "$3" "$1" tmpfs'
    inside = ["sh", "-c", script, "sh", str(tmp_path), sys.executable, LIMITED]
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare here, so no small disk")
    ran = subprocess.run([unshare, "-rm", *inside], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip("this machine does not let a test mount a small disk")
    assert ran.stdout == "artifact-store-full []\n"


def test_links_and_folders_in_the_place_of_an_artifact_are_noticed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for make in ("link", "folder", "pipe"):
        stored = asyncio.run(store.write(stream(make.encode())))
        path = tmp_path / stored.sha256[:2] / stored.sha256
        path.unlink()
        if make == "link":
            (tmp_path / "elsewhere").write_bytes(make.encode())
            path.symlink_to(tmp_path / "elsewhere")
        elif make == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
        with pytest.raises(rule.ArtifactAltered):
            list(store.read(stored.sha256))


def test_a_missing_folder_is_a_failure_with_a_name(tmp_path: Path) -> None:
    with pytest.raises(rule.ArtifactStoreFailed):
        asyncio.run(LocalStore(tmp_path / "absent").write(stream(b"x")))


def test_memory_stays_constant(tmp_path: Path) -> None:
    async def much() -> AsyncIterator[bytes]:
        for _ in range(24 * 16):
            yield bytes(CHUNK // 16)

    store = LocalStore(tmp_path)
    tracemalloc.start()
    stored = asyncio.run(store.write(much()))
    digest = hashlib.sha256()
    for piece in store.read(stored.sha256):
        digest.update(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored.size == 24 * CHUNK
    assert digest.hexdigest() == stored.sha256
    assert peak < 6 * CHUNK
