"""Writes compound files anew: every stream in one piece, nothing between, the same bytes for the same content.

Why anew: a stream that is added needs places in four tables that lie anywhere; written anew, nothing stale stays, and
what is written again is the same. Large streams come first, then the small ones, then the tables.
Source: Microsoft, [MS-CFB], sections 2.2 to 2.7.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from hsmpub.formats.spliced import Part
from hsmpub.formats.windows.compound import (
    HEADER,
    HEADER_DIFAT,
    MAGIC,
    MAX_BYTES,
    MINI_CUTOFF,
    MINI_SECTOR,
    CompoundTooLarge,
)
from hsmpub.formats.windows.compound_chains import END
from hsmpub.formats.windows.storage import ENTRY, Directory, Entry
from hsmpub.formats.windows.storage_write import write_directory

_FAT_SECTOR, _DIFAT_SECTOR = 0xFFFFFFFD, 0xFFFFFFFC

P = TypeVar("P", bound=Part)


class _Plan(NamedTuple):
    """Where everything goes. sector: bytes; starts: first sector of a large stream, or small sector of a small one;
    mini, mini_fat, directory: (first sector, how many), in this order behind the large streams; chains: all of
    these, to be written as such; fats, difats: how many sectors of tables follow."""

    sector: int
    starts: dict[Entry, int]
    large: list[Entry]
    small: list[Entry]
    mini: tuple[int, int]
    mini_fat: tuple[int, int]
    directory: tuple[int, int]
    fats: int
    difats: int


def write_compound(root: Directory, sector: int, content: Callable[[Entry], Iterator[P]]) -> Iterator[P | bytes]:
    """The file with this directory, part by part.

    Args:
        root: sizes of streams are what `content` gives; starts are not looked at; sector: bytes of one, 512 or 4096.

    Raises:
        CompoundTooLarge.
    """
    plan = _plan(root, sector)
    yield _header(plan)
    for entry in plan.large:
        yield from content(entry)
        yield bytes(-entry.size % sector)
    for entry in plan.small:
        yield from content(entry)
        yield bytes(-entry.size % MINI_SECTOR)
    yield bytes(-_mini_bytes(plan.small) % sector)
    yield _padded(_words(_chains((plan.starts[one], -(-one.size // MINI_SECTOR)) for one in plan.small)), sector)
    mini = plan.mini[0] if plan.small else END
    yield write_directory(root, plan.starts, mini, _mini_bytes(plan.small), sector // ENTRY.size)
    yield _fat(plan)
    yield _difat(plan)


def _plan(root: Directory, sector: int) -> _Plan:
    streams = list(root.streams())
    large = [one for one in streams if one.size >= MINI_CUTOFF]
    small = [one for one in streams if 0 < one.size < MINI_CUTOFF]
    starts, at = dict.fromkeys(streams, END), 0
    for one in large:
        starts[one] = at
        at += -(-one.size // sector)
    mini_at = 0
    for one in small:
        starts[one] = mini_at
        mini_at += -(-one.size // MINI_SECTOR)
    mini = (at, -(-mini_at * MINI_SECTOR // sector))
    mini_fat = (sum(mini), -(-mini_at * 4 // sector))
    directory = (sum(mini_fat), -(-_count(root) * ENTRY.size // sector))
    end, per, fats, difats = sum(directory), sector // 4, 0, 0
    while fats * per < end + fats + difats or difats * (per - 1) < fats - HEADER_DIFAT:
        fats = -(-(end + fats + difats) // per)
        difats = -(-max(0, fats - HEADER_DIFAT) // (per - 1))
    if (end + fats + difats + 1) * sector > MAX_BYTES:
        raise CompoundTooLarge("The signed package would have over 2 GiB.")
    return _Plan(sector, starts, large, small, mini, mini_fat, directory, fats, difats)


def _count(storage: Directory) -> int:
    return 1 + len(storage.streams_in) + sum(map(_count, storage.storages_in))


def _mini_bytes(small: list[Entry]) -> int:
    return sum(one.size + -one.size % MINI_SECTOR for one in small)


def _header(plan: _Plan) -> bytes:
    first, wide = sum(plan.directory), plan.sector != 512
    places = array("I", range(first, first + min(plan.fats, HEADER_DIFAT)))
    head = HEADER.pack(
        MAGIC, bytes(16), 0x3E, 4 if wide else 3, 0xFFFE, 12 if wide else 9, 6, bytes(6),
        plan.directory[1] if wide else 0, plan.fats, plan.directory[0], 0, MINI_CUTOFF,
        plan.mini_fat[0] if plan.mini_fat[1] else END, plan.mini_fat[1],
        first + plan.fats if plan.difats else END, plan.difats, _words(places).ljust(436, b"\xff"),
    )  # fmt: skip
    return head.ljust(plan.sector, b"\0")


def _fat(plan: _Plan) -> bytes:
    chains = [(plan.starts[one], -(-one.size // plan.sector)) for one in plan.large]
    table = _chains([*chains, plan.mini, plan.mini_fat, plan.directory])
    table.extend([_FAT_SECTOR] * plan.fats + [_DIFAT_SECTOR] * plan.difats)
    return _padded(_words(table), plan.sector, plan.fats)


def _difat(plan: _Plan) -> bytes:
    """Places of those sectors of the table that the header has no room for."""
    first, per, pieces = sum(plan.directory), plan.sector // 4 - 1, []
    for number in range(plan.difats):
        begin = first + HEADER_DIFAT + number * per
        places = array("I", range(begin, min(begin + per, first + plan.fats)))
        last = number == plan.difats - 1
        pieces.append(
            _words(places).ljust(per * 4, b"\xff") + struct.pack("<I", END if last else first + plan.fats + number + 1)
        )
    return b"".join(pieces)


def _chains(chains: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> array[int]:
    """A table in which each of these (first, how many) is one piece, one behind the other."""
    table = array("I")
    for first, count in chains:
        if count:
            table.extend(range(first + 1, first + count))
            table.append(END)
    return table


def _words(table: array[int]) -> bytes:
    if sys.byteorder == "big":
        table = array("I", table)
        table.byteswap()
    return table.tobytes()


def _padded(data: bytes, sector: int, count: int = 0) -> bytes:
    """Filled with free places, up to whole sectors, or to this many."""
    return data + b"\xff" * (count * sector - len(data) if count else -len(data) % sector)
