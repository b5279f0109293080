"""Files that are none, that change, or that are elsewhere: `hsmpub sign` says so, waits for nothing, writes nothing."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hsmpub.artifact import plain_file
from hsmpub.artifact.plain_file import NotAPlainFile, open_plain
from hsmpub.artifact.source import PathSource
from hsmpub.client import sha256, upload
from hsmpub.client.choosing import choose_formats
from hsmpub.client.embedding import write_signed
from hsmpub.client.finding import find_signatures
from hsmpub.client.given import given_file
from hsmpub.client.sha256 import FileChanged, held_hash
from hsmpub.client.signing import digest_work
from hsmpub.client.upload import FileUnreadable, refer_to
from hsmpub.errors import Invalid
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from tests.formats.samples import OTHERS, SAMPLES
from tests.formats.software_hsm import artifact_of, key_record, make

#: Whatever reads a file that a person named.
READERS: dict[str, Callable[[Path], object]] = {
    "sign": lambda path: digest_work(path, ("minisign",)),
    "sign --upload": held_hash,
    "release submit": refer_to,
    "choose the format": lambda path: choose_formats(path, ()),
    "verify": given_file,
    "verify without a receipt": find_signatures,
}
every_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


@pytest.fixture(params=["folder", "pipe", "socket", "/dev/zero", "/dev/null", "link to a pipe", "link to a device"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path, kind = tmp_path / "x.deb", request.param
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    if kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("x.deb")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    return Path(kind) if kind.startswith("/") else path


@every_reader
def test_what_is_no_plain_file_is_refused_without_waiting(no_file: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(NotAPlainFile):
        read(no_file)


@every_reader
def test_a_link_into_the_void_or_to_itself_is_a_file_that_cannot_be_read(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    void, loop = tmp_path / "void.deb", tmp_path / "loop.deb"
    void.symlink_to(tmp_path / "nothing")
    loop.symlink_to(loop)
    for path in (void, loop):
        with pytest.raises((FileUnreadable, OSError)):
            read(path)


def test_a_pipe_that_takes_a_file_s_place_meanwhile_is_refused_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, looked = tmp_path / "x", os.stat
    path.write_bytes(b"x")

    def swap(where: Path) -> os.stat_result:
        found = looked(where)
        path.unlink()
        os.mkfifo(path)
        return found

    monkeypatch.setattr(plain_file.os, "stat", swap)
    with pytest.raises(NotAPlainFile):
        open_plain(path)


@every_reader
def test_a_link_to_a_file_is_followed(tmp_path: Path, read: Callable[[Path], object]) -> None:
    form, data = FORMATS["deb"], SAMPLES["deb"]
    signed = b"".join(form.attach(BytesSource(data), make(form, data, key_record("p256", "deb"))))
    (tmp_path / "thing-1.0.deb").write_bytes(signed)
    (tmp_path / "latest.deb").symlink_to("thing-1.0.deb")
    read(tmp_path / "latest.deb")


def test_a_signed_file_takes_the_place_of_a_link_and_leaves_what_it_points_to(tmp_path: Path) -> None:
    """What is written goes where the person said, never where a link leads."""
    form, data, key = FORMATS["deb"], SAMPLES["deb"], key_record("p256", "deb")
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "thing.deb", tmp_path / "thing.deb"
    real.write_bytes(data)
    link.symlink_to(real)
    write_signed(link, tmp_path, artifact_of(data).state, make(form, data, key), form, key)
    assert not link.is_symlink()
    assert form.detach(PathSource(link)) is not None
    assert real.read_bytes() == data


class Meddled:
    """Changes a file after its first piece was read."""

    def __init__(self, path: Path, how: str) -> None:
        self._path, self._how, self.done = path, how, False

    def __call__(self, digest: Callable[[], object]) -> object:
        outer, state = self, digest()

        class Digest:
            def update(self, piece: bytes) -> None:
                state.update(piece)  # type: ignore[attr-defined]
                if not outer.done:
                    outer.done = True
                    outer.change()

            def digest(self) -> bytes:
                return bytes(state.digest())  # type: ignore[attr-defined]

        return Digest()

    def change(self) -> None:
        with self._path.open("r+b") as file:
            if self._how == "truncated":
                file.truncate(100)
            else:
                file.seek(0, os.SEEK_END if self._how == "appended" else os.SEEK_SET)
                file.write(b"y")


@pytest.mark.parametrize("how", ["appended", "overwritten", "truncated"])
@pytest.mark.parametrize("read", [held_hash, refer_to])
def test_a_file_that_changes_while_it_is_hashed_for_an_upload_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object], how: str
) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(bytes(3 << 20))
    os.utime(path, (1, 1))
    made, meddled = hashlib.sha256, Meddled(path, how)
    monkeypatch.setattr(sha256.hashlib, "sha256", lambda: meddled(made))
    with pytest.raises(FileChanged):
        read(path)


def test_a_file_that_grows_as_fast_as_it_is_read_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, made = tmp_path / "x.log", hashlib.sha256
    path.write_bytes(bytes(1 << 20))

    class Growing:
        def update(self, _piece: bytes) -> None:
            with path.open("ab") as file:
                file.write(bytes(1 << 20))

    monkeypatch.setattr(sha256.hashlib, "sha256", Growing)
    with pytest.raises(FileChanged):
        held_hash(path)
    monkeypatch.setattr(sha256.hashlib, "sha256", made)
    assert path.stat().st_size <= 4 << 20


def test_a_file_that_became_shorter_on_its_way_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"short")
    with pytest.raises(FileChanged):
        list(upload._Pieces(path, 6, lambda _: None))


@pytest.mark.parametrize("name", sorted(name for name, form in FORMATS.items() if form.embedded))
def test_a_file_that_changed_after_it_was_hashed_gets_no_signature(tmp_path: Path, name: str) -> None:
    """Signed by its hash, and another file when the signature is to be put in: it stays as it is."""
    if name == "pdf":
        pytest.importorskip("pyhanko")
    form, data = FORMATS[name], SAMPLES[name]
    [kind, *_] = sorted(form.key_kinds)
    key, path = key_record(kind, name), tmp_path / "x"
    output = make(form, data, key)
    path.write_bytes(OTHERS[name])
    with pytest.raises(Invalid):
        write_signed(path, tmp_path, artifact_of(data).state, output, form, key)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == OTHERS[name]
