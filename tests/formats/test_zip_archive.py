"""Zip archives that two readers could read in two ways, or that unpack without end, are refused by name."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import zip_file

from hsmpub.errors import Invalid
from hsmpub.formats.source import BytesSource
from hsmpub.formats.zip import content as unpacking
from hsmpub.formats.zip.content import ZipContentMalformed, ZipTooLarge, check_unpacked, content
from hsmpub.formats.zip.directory import ZipHeadersDiffer, read_archive
from hsmpub.formats.zip.end import Zip64NotTaken, ZipEndAmbiguous, ZipHasNoEnd, ZipMalformed
from hsmpub.formats.zip.listed import ZipHasMore, ZipNameUnfit

GOOD = zip_file(a=b"first" * 99, b=b"second")
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


class _Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


def refuses(data: bytes, rule: type[Invalid]) -> None:
    with pytest.raises(rule):
        read_whole(data)


def read_whole(data: bytes) -> dict[str, bytes]:
    source = BytesSource(data)
    archive = read_archive(source)
    check_unpacked(entry.size for entry in archive.entries)
    return {entry.name: content(source, entry, 1 << 20) for entry in archive.entries}


def test_reads_what_others_wrote_with_and_without_descriptors():
    stream = _Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"first" * 99)
        archive.writestr("b/", b"")
    assert read_whole(stream.getvalue()) == {"a": b"first" * 99, "b/": b""}
    assert read_whole(GOOD) == {"a": b"first" * 99, "b": b"second"}
    assert read_whole(zip_file()) == {}


def test_what_is_before_between_or_after_entries_is_refused():
    refuses(b"#!" + GOOD, ZipMalformed)
    refuses(GOOD + b"x", ZipHasNoEnd)
    start = GOOD.rindex(LOCAL)
    moved = GOOD[:start] + b"gap!" + GOOD[start:]
    central, end = moved.rindex(CENTRAL), moved.rindex(END)
    moved = bytearray(moved)
    moved[central + 42 : central + 46] = (start + 4).to_bytes(4, "little")
    moved[end + 16 : end + 20] = (GOOD.index(CENTRAL) + 4).to_bytes(4, "little")
    refuses(bytes(moved), ZipHasMore)


def test_entries_that_overlap_are_refused():
    central = GOOD.rindex(CENTRAL)
    folded = GOOD[: central + 42] + bytes(4) + GOOD[central + 46 :]
    refuses(folded, ZipMalformed)


@pytest.mark.parametrize(("offset", "size"), [(6, 2), (8, 2), (10, 4), (14, 4), (18, 4), (22, 4), (30, 1)])
def test_headers_that_differ_from_the_directory_are_refused(offset, size):
    changed = bytearray(GOOD)
    changed[offset] ^= 2
    refuses(bytes(changed), ZipHeadersDiffer)


@pytest.mark.parametrize("name", ["/a", "../a", "a/../b", "a//b", ".", "a\\b", "a\nb", "", "a\x7f", "/"])
def test_a_name_that_is_no_plain_path_is_refused(name):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(zipfile.ZipInfo("x" * (len(name) or 1)), b"")
    refuses(whole.getvalue().replace(b"x" * len(name), name.encode()) if name else named_nothing(), ZipNameUnfit)


def named_nothing() -> bytes:
    local = struct.pack("<4sHHHHHIIIHH", LOCAL, 20, 0, 0, 0, 33, 0, 0, 0, 0, 0)
    central = struct.pack("<4sHHHHHHIIIHHHHHII", CENTRAL, 20, 20, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return local + central + struct.pack("<4sHHHHIIH", END, 0, 0, 1, 1, len(central), len(local), 0)


def test_a_name_twice_or_in_an_unknown_encoding_is_refused():
    refuses(GOOD.replace(b"b", b"a"), ZipNameUnfit)
    refuses(zip_file(xx=b"").replace(b"xx", b"\xff\xff"), ZipNameUnfit)


def test_an_archive_with_two_ends_or_the_zip64_form_is_refused():
    end = GOOD[GOOD.rindex(END) :]
    refuses(GOOD[:-2] + len(end).to_bytes(2, "little") + end, ZipEndAmbiguous)
    refuses(GOOD[:-2] + (30).to_bytes(2, "little") + end + bytes(8), ZipEndAmbiguous)
    for at, size in ((8, 2), (10, 2), (12, 4), (16, 4)):
        place = GOOD.rindex(END) + at
        refuses(GOOD[:place] + b"\xff" * size + GOOD[place + size :], Zip64NotTaken)


def test_content_other_than_announced_is_refused_before_it_fills_memory(monkeypatch):
    bomb = bytearray(zip_file(a=bytes(50_000_000)))
    for mark, at in ((LOCAL, 22), (CENTRAL, 24)):
        place = bomb.index(mark) + at
        bomb[place : place + 4] = (1000).to_bytes(4, "little")
    refuses(bytes(bomb), ZipContentMalformed)
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 1000)
    refuses(zip_file(a=bytes(600), b=bytes(600)), ZipTooLarge)


@pytest.mark.parametrize("packed", [b"", b"\x00", b"\x03\x00\x00", zlib.compress(b"x"), b"\xff" * 9])
def test_content_that_does_not_unpack_is_refused(packed):
    numbers = (20, 0, 8, 0, 33, zlib.crc32(b""), len(packed), 0, 1, 0)
    local = struct.pack("<4sHHHHHIIIHH", LOCAL, *numbers) + b"a" + packed
    central = struct.pack("<4sHHHHHHIIIHHHHHII", CENTRAL, 20, *numbers, 0, 0, 0, 0, 0) + b"a"
    refuses(
        local + central + struct.pack("<4sHHHHIIH", END, 0, 0, 1, 1, len(central), len(local), 0), ZipContentMalformed
    )


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6))
@settings(max_examples=400)
def test_an_altered_archive_is_refused_or_read_as_others_read_it(at, change):
    altered = GOOD[:at] + change + GOOD[at + len(change) :]
    try:
        found = read_whole(altered)
    except Invalid:
        return
    with zipfile.ZipFile(io.BytesIO(altered)) as archive:
        assert found == {name: archive.read(name) for name in archive.namelist()}


@given(st.binary(max_size=300), st.integers(0, len(GOOD)))
def test_garbage_and_cut_archives_are_refused(garbage, at):
    for data in (garbage, garbage + GOOD[at:], GOOD[:at] + garbage):
        if data == GOOD:
            continue
        with pytest.raises(Invalid):
            read_whole(data)
