"""RPM's header structure: an index of tags and a store of their values; and where the parts of a package lie.

    lead, 96 bytes │ signature header, padded to 8 │ header │ payload

Source: RPM documentation, "RPM v4 format"; lib/header.c (regions, alignment).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.source import Source

_LEAD_MAGIC = b"\xed\xab\xee\xdb"
_LEAD_BYTES = 96
_MAGIC = bytes.fromhex("8eade80100000000")
_ENTRY = struct.Struct(">IIiI")
#: rpm's own limits are 65,535 entries and 256 MiB; a signature header has some ten of a few kilobytes.
_MAX_ENTRIES = 0xFFFF
_MAX_STORE = 256 << 20
_MAX_SIGNATURE_ENTRIES = 64
_MAX_SIGNATURE_STORE = 1 << 20
#: Tag of a signature header's region: what says where it begins and ends.
_REGION = 62
_BIN, _STRING = 7, 6
_ALIGNMENT = {3: 2, 4: 4, 5: 8}
_SIZES = {0: 0, 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}


class RpmMalformed(Invalid):
    advice = "Build the package with 'rpmbuild'; only packages of version 4 are signed here."


class Value(NamedTuple):
    """What a tag holds: its type and number of items as in the index, and its bytes in the store."""

    kind: int
    items: int
    data: bytes


class Package(NamedTuple):
    """Where the header begins, how long it is, and what the signature header holds besides its region."""

    header: int
    header_size: int
    signatures: dict[int, Value]


def read_package(source: Source) -> Package:
    """Raises RpmMalformed, FileTooShort."""
    if source.size < _LEAD_BYTES or source.read(0, 5) != _LEAD_MAGIC + b"\x03":
        raise RpmMalformed("This is no RPM package.")
    entries, store = _sizes(source, _LEAD_BYTES, _MAX_SIGNATURE_ENTRIES, _MAX_SIGNATURE_STORE)
    at = _LEAD_BYTES + 16
    index = source.read(at, entries * _ENTRY.size)
    values = _values(index, source.read(at + len(index), store))
    begins = at + len(index) + store
    begins += -begins % 8
    entries, store = _sizes(source, begins, _MAX_ENTRIES, _MAX_STORE)
    size = 16 + entries * _ENTRY.size + store
    if begins + size > source.size:
        raise RpmMalformed("The package is cut short.")
    return Package(begins, size, values)


def _sizes(source: Source, at: int, entries: int, store: int) -> tuple[int, int]:
    """How many entries a header has, and how many bytes its store; no more than the limits."""
    intro = source.read(at, 16)
    found = int.from_bytes(intro[8:12], "big"), int.from_bytes(intro[12:], "big")
    if intro[:8] != _MAGIC or not 0 < found[0] <= entries or found[1] > store:
        raise RpmMalformed("A header of the package is missing, or larger than any.")
    return found


def _values(index: bytes, store: bytes) -> dict[int, Value]:
    values: dict[int, Value] = {}
    for tag, kind, offset, count in _ENTRY.iter_unpack(index):
        if tag == _REGION:
            continue
        size = _size(store, kind, offset, count)
        if tag in values or not 0 <= offset <= len(store) - size:
            raise RpmMalformed("An entry of the signature header comes twice, or points outside it.")
        values[tag] = Value(kind, count, store[offset : offset + size])
    return values


def _size(store: bytes, kind: int, offset: int, count: int) -> int:
    """Bytes of a value; strings end with NUL."""
    if kind == _STRING and count == 1 and offset >= 0 and (end := store.find(b"\0", offset)) >= 0:
        return end + 1 - offset
    if kind not in _SIZES or not count:
        raise RpmMalformed("An entry of the signature header has a type that is not expected there.")
    return _SIZES[kind] * count


def signature_header(values: dict[int, Value]) -> bytes:
    """A signature header in one region, padded."""
    index, store = b"", b""
    for tag, value in sorted(values.items()):
        store += bytes(-len(store) % _ALIGNMENT.get(value.kind, 1))
        index += _ENTRY.pack(tag, value.kind, len(store), value.items)
        store += value.data
    count = len(values) + 1
    region = _ENTRY.pack(_REGION, _BIN, len(store), _ENTRY.size)
    store += _ENTRY.pack(_REGION, _BIN, -count * _ENTRY.size, _ENTRY.size)
    made = _MAGIC + struct.pack(">II", count, len(store)) + region + index + store
    return made + bytes(-len(made) % 8)


def lead_of(source: Source) -> bytes:
    return source.read(0, _LEAD_BYTES)
