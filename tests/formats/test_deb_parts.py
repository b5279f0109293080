"""The parts of a Debian package cannot be divided otherwise under the same signature.

A package that holds a file of somebody else's, an archive, must not be turned into a package of that archive: `debsig`
signs the parts one after the other, and not where each ends.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from pathlib import Path

import pytest
from foreign_tool import accepts, needs
from samples import ar_member

from hsmpub.errors import Invalid
from hsmpub.formats.linux.ar import MAGIC, read_members
from hsmpub.formats.linux.deb import Deb
from hsmpub.formats.linux.deb_parts import MAX_CONTROL_BYTES
from hsmpub.formats.source import BytesSource

DEB = Deb()


def archive(name: str, content: bytes) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as made:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        made.addfile(about, io.BytesIO(content))
    return whole.getvalue()


def stored_zstd(data: bytes) -> bytes:
    """A frame of one raw block, with its size in four bytes."""
    return b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little") + (len(data) << 3 | 1).to_bytes(3, "little") + data


PACKERS = {b".gz": gzip.compress, b".xz": lzma.compress, b".zst": stored_zstd, b"": bytes}


def package(control: bytes, data: bytes, ending: bytes, version: bytes = b"2.0\n") -> bytes:
    parts = ((b"debian-binary", version), (b"control.tar" + ending, control), (b"data.tar" + ending, data))
    return MAGIC + b"".join(ar_member(*part) for part in parts)


@pytest.mark.parametrize("ending", PACKERS)
def test_content_that_moves_between_parts_is_refused(ending: bytes) -> None:
    pack = PACKERS[ending]
    control, evil = pack(archive("control", b"Package: thing\n")), pack(archive("bin/evil", b"evil"))
    data = stored(ending, archive("fixture", evil), evil)
    at = data.index(evil)
    assert DEB.extract(BytesSource(package(control, data, ending)))
    moved = package(control + data[:at], data[at:], ending)
    signed = b"".join(moved[one.data : one.data + one.size] for one in read_members(BytesSource(moved)))
    assert signed == b"2.0\n" + control + data  # the same bytes are signed
    others = (
        package(control[4:], data, ending, b"2.0\n" + control[:4]),
        package(control[:-1], control[-1:] + data, ending),
    )
    for one in (moved, *others, package(control, b"\n" + data, ending), package(control + b"x", data, ending)):
        with pytest.raises(Invalid) as refused:
            DEB.extract(BytesSource(one))
        assert refused.value.rule == "deb-parts-unclear"


def stored(ending: bytes, data: bytes, evil: bytes) -> bytes:
    """Compressed so that what is in the files is still there, as where it cannot be made smaller."""
    if ending == b".gz":
        packer = zlib.compressobj(0, wbits=31)
        return packer.compress(data) + packer.flush()
    return data if not ending else stored_zstd(data) if ending == b".zst" else lzma.compress(b"x") + data


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "none"])
def test_packages_as_they_are_built_are_taken(compression: str, tmp_path: Path) -> None:
    needs("dpkg-deb")
    control = tmp_path / "build" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text("Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: A <a@a.example>\nDescription: x\n")
    (control.parent / "postinst").write_text("#!/bin/sh\n" + "# much\n" * 40_000)
    (control.parent / "postinst").chmod(0o755)
    (tmp_path / "build" / "thing").write_bytes(b"a thing")
    assert accepts("dpkg-deb", "--root-owner-group", f"-Z{compression}", "-b", tmp_path / "build", tmp_path / "x.deb")
    assert DEB.extract(BytesSource((tmp_path / "x.deb").read_bytes()))


@pytest.mark.parametrize(
    ("control", "ending"),
    [
        (gzip.compress(bytes(MAX_CONTROL_BYTES + 1)), b".gz"),
        (gzip.compress(b"x")[:-1], b".gz"),
        (gzip.compress(b"x") * 2, b".gz"),
        (b"\x28\xb5\x2f\xfd\xa8" + bytes(40), b".zst"),
        (stored_zstd(b"x")[:-9] + b"\xff" * 9, b".zst"),
        (archive("x", b"")[:124] + b"-0000000001\0" + archive("x", b"")[136:], b""),
        (archive("x", b"")[:512], b""),
    ],
    ids=["bomb", "cut short", "two streams", "endless frame", "no last block", "size below zero", "no end"],
)
def test_hostile_control_parts_are_refused_at_once(control: bytes, ending: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        DEB.extract(BytesSource(package(control, PACKERS[ending](archive("x", b"")), ending)))
    assert refused.value.rule == "deb-parts-unclear"
