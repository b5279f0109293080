"""A file that is written by one thread and read by another holds what its parts say, and each byte is written once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client import new_file
from hsmpub.client.embedding import write_signed
from hsmpub.client.new_file import NewFile
from hsmpub.errors import HsmpubError
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource, FileTooShort, Source
from hsmpub.formats.spliced import Kept, Part, as_bytes
from tests.formats.samples import SAMPLES
from tests.formats.software_hsm import artifact_of, key_record, make

SOURCE = BytesSource(bytes(i * 7 % 251 for i in range(700)))
PARTS = st.lists(
    st.binary(max_size=40) | st.builds(Kept, st.integers(0, 400), st.integers(0, 300)), max_size=8
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """So that a few hundred bytes are a large file."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("BLOCK_BYTES", 16), ("_AHEAD", 3), ("_SYNCED_AT_ONCE", 2), ("_LARGE", 8)):
            patch.setattr(new_file, name, value)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("new")


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "x").open("x+b", buffering=0) as file:
        yield file.fileno()


@given(PARTS, st.lists(st.tuples(st.integers(0, 900), st.integers(0, 90)), max_size=6))
def test_the_file_is_its_parts_wherever_it_is_read_first(
    folder: Path, parts: list[Part], looks: list[tuple[int, int]]
) -> None:
    whole = b"".join(as_bytes(SOURCE, parts))
    with (folder / "x").open("w+b", buffering=0) as file, ThreadPoolExecutor(1) as beside:
        new = NewFile(file.fileno(), SOURCE, iter(parts))
        assert new.size == len(whole)
        written = beside.submit(new.write)
        for offset, length in looks:
            if offset + length <= new.size:
                assert new.read(offset, length) == whole[offset : offset + length]
        new.all_read()
        written.result()
    assert (folder / "x").read_bytes() == whole


class Counted:
    """A source that keeps account of what was read of it."""

    size = SOURCE.size

    def __init__(self) -> None:
        self.read_at: list[int] = []

    def read(self, offset: int, length: int) -> bytes:
        self.read_at.append(offset)
        return SOURCE.read(offset, length)


def test_each_block_is_taken_from_the_original_once(fd: int) -> None:
    """Else what was verified could be overwritten with what came later."""
    source = Counted()
    new = NewFile(fd, source, [Kept(0, 640)])
    for offset in (600, 0, 300, 600, 8):
        new.read(offset, 40)
    new.all_read()
    new.write()
    assert sorted(source.read_at) == list(range(0, 640, 16))


def test_a_reader_need_not_wait_for_the_writer(fd: int) -> None:
    new = NewFile(fd, SOURCE, [b"head", Kept(0, 600), b"tail"])
    assert new.read(600, 8) == SOURCE.read(596, 4) + b"tail"
    assert new.read(0, 6) == b"head" + SOURCE.read(0, 2)


class Held:
    """A source that says when it was asked, and waits at one place."""

    size = SOURCE.size

    def __init__(self, at: int) -> None:
        self._at, self.asked, self.go = at, Event(), Event()

    def read(self, offset: int, length: int) -> bytes:
        if offset == self._at:
            self.asked.set()
            assert self.go.wait(20)
        return SOURCE.read(offset, length)


def test_a_block_that_another_thread_is_writing_is_waited_for(fd: int) -> None:
    source = Held(32)
    new = NewFile(fd, source, [Kept(0, 64)])
    with ThreadPoolExecutor(2) as beside:
        written = beside.submit(new.write)
        assert source.asked.wait(20)
        reading = beside.submit(new.read, 32, 16)
        source.go.set()
        assert reading.result() == SOURCE.read(32, 16)
        new.all_read()
        written.result()


def test_writing_runs_ahead_of_reading_so_far_and_no_further(fd: int) -> None:
    source = Held(48)
    new = NewFile(fd, source, [Kept(0, 640)])
    with ThreadPoolExecutor(1) as beside:
        written = beside.submit(new.write)
        assert source.asked.wait(20)
        source.go.set()
        new.stop()
        written.result()
    assert os.fstat(fd).st_size <= 64 + 16


def test_a_disk_that_is_full_is_heard_of_by_whoever_writes() -> None:
    with Path("/dev/full").open("r+b", buffering=0) as full:
        new = NewFile(full.fileno(), SOURCE, [Kept(0, 64)])
        with pytest.raises(OSError, match="No space left"):
            new.write()
        with pytest.raises(OSError, match="No space left"):  # and the block is not taken for written
            new.read(0, 16)


class Shorter:
    """An original that lost its end meanwhile."""

    size = SOURCE.size

    def read(self, offset: int, length: int) -> bytes:
        raise FileTooShort("The file was cut short while it was read.")


def test_an_original_that_is_cut_short_is_heard_of_by_reader_and_writer(fd: int) -> None:
    source: Source = Shorter()
    new = NewFile(fd, source, [b"x" * 32, Kept(0, 64)])
    with pytest.raises(FileTooShort):
        new.write()
    with pytest.raises(FileTooShort):
        new.read(40, 4)


def test_a_file_that_lost_what_was_written_to_it_is_not_read_as_if_it_had_it(fd: int) -> None:
    new = NewFile(fd, SOURCE, [Kept(0, 64)])
    new.read(0, 64)
    os.ftruncate(fd, 10)
    with pytest.raises(OSError, match="does not hold"):
        new.read(0, 64)


def test_nothing_is_read_behind_the_end(fd: int) -> None:
    with pytest.raises(FileTooShort):
        NewFile(fd, SOURCE, [Kept(0, 64)]).read(60, 5)


EMBEDDED = sorted(name for name, form in FORMATS.items() if form.embedded)


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_format_verifies_a_file_that_is_still_written(name: str, tmp_path: Path) -> None:
    if name == "pdf":
        pytest.importorskip("pyhanko")
    form, data, path = FORMATS[name], SAMPLES[name], tmp_path / "x"
    [kind, *_] = sorted(form.key_kinds)
    key, output = key_record(kind, name), make(form, data, key_record(kind, name))
    path.write_bytes(data)
    written = write_signed(path, tmp_path, artifact_of(data).state, output, form, key)
    assert written.read_bytes() == b"".join(form.attach(BytesSource(data), output))


@pytest.mark.parametrize("name", ["apk", "deb", "jar", "kernel-module", "msi", "rpm"])
def test_a_byte_that_gets_lost_on_the_way_to_the_file_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is verified is what the file holds, not what was to be written."""
    form, data, path, wrote = FORMATS[name], SAMPLES[name], tmp_path / "x", os.pwrite
    [kind, *_] = sorted(form.key_kinds)
    key, output = key_record(kind, name), make(form, data, key_record(kind, name))
    path.write_bytes(data)
    lost: list[int] = []

    def lose(fd: int, block: memoryview, at: int) -> int:
        if at == len(data) // 32 * 16:
            lost.append(at)
            block = memoryview(bytes([block[0] ^ 1]) + block[1:])
        return wrote(fd, block, at)

    monkeypatch.setattr(new_file.os, "pwrite", lose)
    with pytest.raises(HsmpubError):
        write_signed(path, tmp_path, artifact_of(data).state, output, form, key)
    assert lost
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == data


def test_nobody_else_can_open_a_file_before_it_has_its_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opened it in that moment could read what is written to it later."""
    form, key, path, modes = FORMATS["jar"], key_record("p256", "jar"), tmp_path / "x", list[int]()

    def fchmod(fd: int, mode: int) -> None:
        modes.append(os.fstat(fd).st_mode & 0o777)
        chmod(fd, mode)

    chmod = os.fchmod
    monkeypatch.setattr(os, "fchmod", fchmod)
    path.write_bytes(SAMPLES["jar"])
    path.chmod(0o640)
    output = make(form, SAMPLES["jar"], key)
    written = write_signed(path, tmp_path, artifact_of(SAMPLES["jar"]).state, output, form, key)
    assert modes == [0o600]
    assert written.stat().st_mode & 0o777 == 0o640
