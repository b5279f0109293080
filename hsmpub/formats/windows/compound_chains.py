"""Chains of sectors in a compound file: of each sector, a table says which one follows.

Source: Microsoft, [MS-CFB], section 2.3.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator

from hsmpub.formats.windows.storage import CompoundMalformed

END = 0xFFFFFFFE
#: Each piece of a stream that lies apart costs memory.
MAX_RUNS = 1 << 17
#: Streams mostly lie in one piece, so sectors are compared by so many at once when a run has become so long; where that
#: ends, not again before so many more, else the rest of each run would cost a comparison for each sector.
_LEAP, _LONG = 4096, 256

Run = tuple[int, int]


def runs_of(table: array[int], used: bytearray, start: int) -> list[Run]:
    """A chain as runs of neighbours (first, how many), which are marked as used. Raises CompoundMalformed."""
    runs: list[Run] = []
    at, room = start, min(len(table), len(used))
    while at != END:
        first, leaping = at, at + _LONG
        while True:
            if at >= leaping:
                at = _leap(table, used, at, room)
                leaping = at + _LEAP
            if at >= room or used[at]:
                raise CompoundMalformed("A chain of sectors leads outside the file, or into another.")
            used[at] = 1
            following = table[at]
            if following != at + 1:
                break
            at = following
        runs.append((first, at - first + 1))
        at = following
        if len(runs) > MAX_RUNS:
            raise CompoundMalformed("The file lies in too many pieces.")
    return runs


def _leap(table: array[int], used: bytearray, at: int, room: int) -> int:
    """Marks all that follow each other from `at` on, as far as it goes by whole leaps; where to go on."""
    while at + _LEAP <= room:
        to = at + _LEAP
        if used.find(1, at, to) >= 0 or table[at:to] != array("I", range(at + 1, to + 1)):
            break
        used[at:to] = b"\1" * _LEAP
        at = to
    return at


def neighbours(places: Iterable[int]) -> Iterator[Run]:
    """Places as runs (first, how many), in their order."""
    first = count = 0
    for place in places:
        if count and place == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = place, 1
    if count:
        yield first, count


def words_of(data: bytes) -> array[int]:
    """32-bit numbers, little-endian."""
    words = array("I", data[: len(data) & ~3])
    if sys.byteorder == "big":
        words.byteswap()
    return words
