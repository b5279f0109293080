"""Uploads that are made to keep whoever looks into them busy: it is a child, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import resource
import signal
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hsmpub.artifact import extraction
from hsmpub.artifact.extraction import ExtractionTooLong, ExtractorLost, NoRoomToLook
from hsmpub.errors import HsmpubError
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.formats.zip.manifest import MAX_SECTIONS
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.places import MAX_WAITING, ManyFilesWait
from hsmpub.sandbox import python_command
from hsmpub.sandbox.landlock import landlock_abi

STORED = b"stored"
#: A compound file whose directory's sectors follow each other in a circle.
LOOP = b"".join((
    struct.pack("<8s16sHHHHH6s", bytes.fromhex("d0cf11e0a1b11ae1"), bytes(16), 62, 3, 0xFFFE, 9, 6, bytes(6)),
    struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0),
    struct.pack("<I", 0).ljust(436, b"\xff"),
    struct.pack("<III", 0xFFFFFFFD, 2, 1).ljust(512, b"\xff"),
    bytes(1024),
))  # fmt: skip


def archive(**entries: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            made.writestr(name.replace("__", "/").replace("_MF", ".MF").replace("_xml", ".xml"), data)
    return whole.getvalue()


def jar_of_sections() -> bytes:
    """Half a megabyte that took seconds."""
    sections = b"".join(b"Name: %d\r\n\r\n" % number for number in range(MAX_SECTIONS + 1))
    return archive(**{"META-INF__MANIFEST_MF": b"Manifest-Version: 1.0\r\n\r\n" + sections})


#: format → a file that is hostile to it, and what is said of it.
HOSTILE = {
    "jar": (jar_of_sections(), "manifest-malformed"),
    "apk": (archive(AndroidManifest_xml=b"")[:-6] + b"\xff\xff\xff\xff\0\0", ""),
    "msi": (LOOP, "compound-malformed"),
    "cab": (b"MSCF\0\0\0\0" + b"\xff" * 60, "cab-malformed"),
    "cat": (b"\x30\x82" + b"\x30\x80" * 2000, "catalogue-malformed"),
    "rpm": (b"\xed\xab\xee\xdb" + bytes(92) + bytes.fromhex("8eade801") + bytes(4) + b"\x7f\xff\xff\xff" * 2, ""),
    "deb": (b"!<arch>\n" + b"x".ljust(48) + b"9" * 10 + b"`\n", ""),
    "authenticode": (b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0" + b"\xff" * 300, "pe-malformed"),
    "pdf": (b"%PDF-1.7\n" + b"[" * 100_000 + b"\nstartxref\n9\n%%EOF\n", ""),
}


def put(folder: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    (folder / digest[:2]).mkdir(exist_ok=True)
    (folder / digest[:2] / digest).write_bytes(data)
    return digest


@pytest.fixture
def artifacts(tmp_path: Path) -> Iterator[Artifacts]:
    made = Artifacts(tmp_path, tmp_path)
    yield made
    made.close()


async def rule_for(artifacts: Artifacts, folder: Path, name: str, data: bytes) -> str:
    try:
        await artifacts.hashed(put(folder, data), "x", [get_format(name)])
    except HsmpubError as error:
        return error.rule
    return "none"


def test_each_hostile_file_is_refused_by_name_and_the_next_is_looked_into(artifacts: Artifacts, tmp_path: Path) -> None:
    async def scenario() -> None:
        children = set()
        for name, (data, rule) in HOSTILE.items():
            said = await rule_for(artifacts, tmp_path, name, data)
            assert said == (rule or said) != "none", name
            [child] = artifacts._idle
            children.add(child._child.pid)
        good = archive(a=b"class")
        made = await artifacts.hashed(put(tmp_path, good), "x.jar", [get_format("jar")])
        assert made.details["jar"]
        assert made.state.digest() == hashlib.sha256(good).digest()
        assert len(children) == 1

    asyncio.run(scenario())


def test_the_keeper_never_looks_into_an_upload_itself(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar, good = get_format("jar"), archive(a=b"class")

    def looks(*_: object) -> bytes:
        raise AssertionError("in the keeper's process")

    monkeypatch.setattr(type(jar), "extract", looks)
    made = asyncio.run(artifacts.hashed(put(tmp_path, good), "x.jar", [jar]))
    assert made.details["jar"]


def test_files_that_keep_their_children_busy_hold_up_no_others_and_are_given_up(tmp_path: Path) -> None:
    """Both children are stopped, as parsers that never come to an end."""
    artifacts = Artifacts(tmp_path, tmp_path)
    jar, good = get_format("jar"), archive(a=b"class")

    async def scenario() -> None:
        digest = put(tmp_path, good)
        await asyncio.gather(*(artifacts.hashed(digest, "x", [jar]) for _ in range(2)))
        children = list(artifacts._idle)
        assert len(children) == 2
        for child in children:
            os.kill(child._child.pid, signal.SIGSTOP)
        busy = [asyncio.ensure_future(artifacts.hashed(digest, "busy", [jar])) for _ in range(2 + MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(ManyFilesWait):
            await artifacts.hashed(digest, "one too many", [jar])
        plain = [artifacts.hashed(put(tmp_path, STORED + bytes([n])), "plain") for n in range(20)]
        assert len(await asyncio.gather(*plain)) == 20
        assert not any(one.done() for one in busy)
        for child in children:
            child._child.kill()
        lost = [type(one) for one in await asyncio.gather(*busy, return_exceptions=True)]
        assert lost.count(ExtractorLost) == 2
        assert lost.count(Artifact) == MAX_WAITING  # by other children

    try:
        asyncio.run(scenario())
    finally:
        artifacts.close()


def test_a_file_that_takes_too_long_is_given_up_with_its_child(artifacts: Artifacts, tmp_path: Path) -> None:
    jar, digest = get_format("jar"), put(tmp_path, archive(a=b"class"))

    async def scenario() -> None:
        await artifacts.hashed(digest, "x", [jar])
        [child] = artifacts._idle
        child._seconds = 0.01
        os.kill(child._child.pid, signal.SIGSTOP)
        with pytest.raises(ExtractionTooLong):
            await artifacts.hashed(digest, "x", [jar])
        assert child._child.returncode == -signal.SIGKILL
        assert artifacts._idle == []

    asyncio.run(scenario())


def test_a_file_that_asks_for_too_much_memory_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    """The limit is made smaller for the test: what fills a gigabyte takes long to build."""
    limit = 64 << 20

    async def scenario() -> None:
        await artifacts.hashed(put(tmp_path, archive(a=b"class")), "x", [get_format("jar")])
        [child] = artifacts._idle
        resource.prlimit(child._child.pid, resource.RLIMIT_AS, (limit, limit))
        manifest = b"Manifest-Version: 1.0\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(400_000))
        hungry = archive(**{"META-INF__MANIFEST_MF": manifest})
        assert await rule_for(artifacts, tmp_path, "jar", hungry) == "extraction-too-large"

    asyncio.run(scenario())


def test_what_is_cancelled_leaves_no_child(artifacts: Artifacts, tmp_path: Path) -> None:
    jar, digest = get_format("jar"), put(tmp_path, archive(a=b"class"))

    async def scenario() -> None:
        await artifacts.hashed(digest, "x", [jar])
        [child] = artifacts._idle
        os.kill(child._child.pid, signal.SIGSTOP)
        asked = asyncio.ensure_future(artifacts.hashed(digest, "x", [jar]))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert child._child.returncode is not None
        assert artifacts._looking.taken == artifacts._hashing.taken == 0

    asyncio.run(scenario())


def test_a_child_that_has_nothing_to_do_ends(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsmpub.keeper.artifacts.IDLE_SECONDS", 0.0)

    async def scenario() -> None:
        ended, close = asyncio.Event(), artifacts.close
        monkeypatch.setattr(artifacts, "close", lambda: (close(), ended.set()))
        await artifacts.hashed(put(tmp_path, archive(a=b"class")), "x", [get_format("jar")])
        [child] = artifacts._idle
        await ended.wait()
        assert child._child.returncode is not None

    asyncio.run(scenario())


def test_a_child_that_answers_something_else_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (b"\x81\xa4type\xa9extracted", b"garbage", b""):
        with monkeypatch.context() as patch:
            patch.setattr(extraction, "receive_frame", lambda *_, given=answer: given)
            child = extraction.Extraction(tmp_path)
            child.new_copy()
            with pytest.raises(ExtractorLost):
                child.extract("x", [get_format("jar")], 0)
            child.close()


HARDENED = """
import asyncio, pathlib
from hsmpub.formats.registry import get_format
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.sandbox import harden
folder = pathlib.Path({folder!r})
report = harden("keeper", write=[str(folder)])
artifacts = Artifacts(folder, folder)
made = asyncio.run(artifacts.hashed({digest!r}, "x", [get_format("jar")]))
artifacts.close()
print(report["files"], len(made.details["jar"]))
"""


@pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")
def test_the_hardened_keeper_has_its_uploads_looked_into(tmp_path: Path) -> None:
    digest = put(tmp_path, archive(a=b"class"))
    command = python_command("hsmpub.keeper.main")
    program = HARDENED.format(folder=str(tmp_path), digest=digest)
    command[-1] = f"{command[-1].split('from hsmpub')[0]}exec({program!r})"
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, text=True)
    assert done.stdout.startswith("on ")
    assert done.stderr == ""


def test_a_file_with_a_hole_does_not_fill_the_disk_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = put(tmp_path, b"PK\3\4")
    monkeypatch.setattr(extraction, "PARTS_OF_THE_DISK", 1 << 62)
    artifacts = Artifacts(tmp_path, tmp_path)
    try:
        with pytest.raises(NoRoomToLook):
            asyncio.run(artifacts.hashed(digest, "x.jar", [get_format("jar")]))
    finally:
        artifacts.close()
