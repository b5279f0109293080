"""The directory of a compound file: storages (folders) and streams (files) by name.

Source: Microsoft, [MS-CFB], section 2.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.errors import Invalid

STORAGE, STREAM, ROOT = 1, 2, 5
NONE = 0xFFFFFFFF
#: Real packages have some hundred; each costs memory.
MAX_ENTRIES = 16_384
MAX_DEPTH = 16
#: name, its bytes, kind, colour, left, right, child, CLSID, state, created, modified, start, size (its low half first)
ENTRY = struct.Struct("<64sHBBIII16s4s8s8sIII")


class CompoundMalformed(Invalid):
    advice = "Only whole Windows Installer packages (.msi, .msp, .msm, .mst) are signed so; build it again."


class Entry(NamedTuple):
    """What the directory says of a storage or stream. name: UTF-16LE, without its end; size: bytes of a stream; of the
    root, of all small streams; start: its first sector."""

    name: bytes
    kind: int
    clsid: bytes
    state: bytes
    created: bytes
    modified: bytes
    start: int
    size: int


class Directory(NamedTuple):
    """A storage and what is in it."""

    entry: Entry
    streams_in: list[Entry]
    storages_in: list[Directory]

    def streams(self) -> Iterator[Entry]:
        """All streams, of storages within, too, in the order of `members`."""
        for one in self.members():
            if isinstance(one, Entry):
                yield one
            else:
                yield from one.streams()

    def members(self) -> list[Entry | Directory]:
        """Streams and storages, in the order in which Authenticode hashes them: by the bytes of their names."""
        both: list[Entry | Directory] = [*self.streams_in, *self.storages_in]
        return sorted(both, key=lambda one: name_of(one) + b"\0\0")


def name_of(member: Entry | Directory) -> bytes:
    return member.name if isinstance(member, Entry) else member.entry.name


def tree_order(name: bytes) -> tuple[int, tuple[int, ...]]:
    """By what names are found in the directory's trees: shorter first, then upper-case code units."""
    units = [int.from_bytes(name[at : at + 2], "little") for at in range(0, len(name), 2)]
    return len(name), tuple(map(_upper, units))


def _upper(unit: int) -> int:
    upper = chr(unit).upper()
    return ord(upper) if len(upper) == 1 and ord(upper) < 0x10000 else unit


class _Row(NamedTuple):
    """An entry as it lies there. left, right: neighbours in the tree of a storage; child: the tree of what is in it."""

    name: bytes
    length: int
    kind: int
    colour: int
    left: int
    right: int
    child: int
    clsid: bytes
    state: bytes
    created: bytes
    modified: bytes
    start: int
    size: int
    high: int


def read_directory(data: bytes, wide: bool) -> Directory:
    """The root storage with all in it.

    Args:
        data: the directory's sectors; wide: sizes have 64 bits (version 4).

    Raises:
        CompoundMalformed: not a tree, too deep, a name twice.
    """
    rows = [_Row(*row) for row in ENTRY.iter_unpack(data[: len(data) - len(data) % ENTRY.size])]
    if not rows or rows[0].kind != ROOT:
        raise CompoundMalformed("The compound file has no root.")
    return _storage(rows, 0, wide, bytearray(len(rows)), 0)


def _storage(rows: list[_Row], number: int, wide: bool, seen: bytearray, depth: int) -> Directory:
    if depth > MAX_DEPTH:
        raise CompoundMalformed("The storages of the file are nested too deep.")
    seen[number] = 1
    made, names = Directory(_entry(rows[number], wide), [], []), set()
    todo = [rows[number].child]
    while todo:
        at = todo.pop()
        if at == NONE:
            continue
        if at >= len(rows) or seen[at]:
            raise CompoundMalformed("The directory of the file is not a tree.")
        seen[at] = 1
        entry = _entry(rows[at], wide)
        name = tree_order(entry.name)
        if entry.kind not in (STORAGE, STREAM) or name in names:
            raise CompoundMalformed("A name is in the file's directory twice, or is of neither stream nor storage.")
        names.add(name)
        todo += [rows[at].left, rows[at].right]
        if entry.kind == STREAM:
            made.streams_in.append(entry)
        else:
            made.storages_in.append(_storage(rows, at, wide, seen, depth + 1))
    return made


def _entry(row: _Row, wide: bool) -> Entry:
    name, end = row.name[: max(0, row.length - 2)], row.name[max(0, row.length - 2) : row.length]
    if row.length % 2 or not 4 <= row.length <= 64 or end != b"\0\0" or 0 in tree_order(name)[1]:
        raise CompoundMalformed("A name in the file's directory is malformed.")
    if wide and row.high:
        raise CompoundMalformed("A stream of the file is longer than the file.")
    size = 0 if row.kind == STORAGE else row.size
    clsid = bytes(16) if row.kind == STREAM else row.clsid  # a stream has none, and no signature covers it
    return Entry(name, row.kind, clsid, row.state, row.created, row.modified, row.start, size)
