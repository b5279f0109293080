"""What a signed Java archive consists of: the manifest, our signature file and block, and everybody else's entries."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.formats.noted import NotedSource, noted
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Kept, Part
from hsmpub.formats.zip.content import check_unpacked, content, content_sha256
from hsmpub.formats.zip.directory import Archive, Entry, read_entry
from hsmpub.formats.zip.end import Zip64NotTaken, ZipMalformed, end_record
from hsmpub.formats.zip.listed import read_list
from hsmpub.formats.zip.manifest import Section, parse_manifest, with_digests

MANIFEST = "META-INF/MANIFEST.MF"
SIGNATURE_FILE = "META-INF/HSMPUB.SF"
BLOCKS = ("META-INF/HSMPUB.EC", "META-INF/HSMPUB.RSA")
MAX_MANIFEST_BYTES = 16 << 20
#: It says more of each entry than a manifest that comes.
MAX_SIGNATURE_FILE_BYTES = 128 << 20
MAX_BLOCK_BYTES = 1 << 16
_JAR, _CONTENTS = "jar", "contents of the jar"
_OURS = {MANIFEST, SIGNATURE_FILE, *BLOCKS}
_SIGNATURE_RELATED = re.compile(r"META-INF/(MANIFEST\.MF|SIG-[^/]*|[^/]*\.(SF|RSA|DSA|EC))", re.IGNORECASE)
#: Stored, not deflated: the bytes are the same with every zlib. Marked as of 1980-01-01, the first day that zip knows.
_LOCAL = struct.Struct("<4sHHHIIIIHH")
_CENTRAL = struct.Struct("<4sHHHHIIIIHHHHHII")
_VERSION, _FIRST_DAY = 20, 0x0021 << 16


class JarSignedByAnother(ZipMalformed):
    advice = (
        "Sign the archive as it was built, before anybody else signs it, or take their signature out with 'zip -d'."
    )


class Jar(NamedTuple):
    """others: entries that are not ours."""

    archive: Archive
    others: tuple[Entry, ...]


def read_jar(source: Source) -> Jar:
    """Raises ZipMalformed and the rules under it, JarSignedByAnother."""
    return noted(source, _JAR, lambda: _walk(source, None))


def manifest_of(source: Source, jar: Jar) -> list[Section]:
    """Sections of the manifest that the signed archive has. Raises ZipMalformed and the rules under it."""
    digests = noted(source, _CONTENTS, lambda: {
        entry.name: content_sha256(source, entry) for entry in jar.others if not entry.is_folder
    })  # fmt: skip
    return with_digests(manifest_there(source, jar), digests)


def walk_jar(source: Source) -> None:
    """Notes what `read_jar` and `manifest_of` look for, front to back: each entry's header, then its content. Raises as
    both do."""
    if isinstance(source, NotedSource) and _JAR not in source.notes:
        digests: dict[str, bytes] = {}
        source.notes[_JAR] = _walk(source, digests)
        source.notes[_CONTENTS] = digests


def _walk(source: Source, digests: dict[str, bytes] | None) -> Jar:
    """digests: takes up those of the contents, if wanted."""
    listed, end = read_list(source)
    check_unpacked(one.record.size for one in listed)
    for one in listed:
        if _SIGNATURE_RELATED.fullmatch(one.name) and one.name not in _OURS:
            raise JarSignedByAnother(f"The archive holds {one.name!r}, which is of somebody else's signature.")
    entries = []
    for one in listed:
        entry = read_entry(source, one)
        entries.append(entry)
        if digests is not None and entry.name not in _OURS and not entry.is_folder:
            digests[entry.name] = content_sha256(source, entry)
    return Jar(Archive(tuple(entries), end), tuple(entry for entry in entries if entry.name not in _OURS))


def manifest_there(source: Source, jar: Jar) -> list[Section] | None:
    there = jar.archive.find(MANIFEST)
    return parse_manifest(content(source, there, MAX_MANIFEST_BYTES)) if there else None


def with_entries(jar: Jar, added: list[tuple[str, bytes]]) -> Iterator[Part]:
    """The archive with these entries first, then everybody else's as they were, byte for byte."""
    at, directory = 0, []
    for name, data in added:
        numbers = (0, 0, _FIRST_DAY, zlib.crc32(data), len(data), len(data), len(name), 0)
        head = _LOCAL.pack(b"PK\x03\x04", _VERSION, *numbers) + name.encode()
        directory.append(_CENTRAL.pack(b"PK\x01\x02", _VERSION, _VERSION, *numbers, 0, 0, 0, 0, at) + name.encode())
        yield head + data
        at += len(head) + len(data)
    for entry in jar.others:
        directory.append(entry.record[:42] + (at & 0xFFFFFFFF).to_bytes(4, "little") + entry.record[46:])
        yield Kept(entry.start, entry.end - entry.start)
        at += entry.end - entry.start
    whole = b"".join(directory)
    if at + len(whole) >= 0xFFFFFFFF or len(directory) >= 0xFFFF:
        raise Zip64NotTaken("The signed archive would need the Zip64 form.")
    yield whole + end_record(len(directory), at, len(whole), jar.archive.end.comment)
