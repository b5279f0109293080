"""Writes the directory of a compound file. Source: Microsoft, [MS-CFB], section 2.6."""

from __future__ import annotations

from collections.abc import Mapping

from hsmpub.formats.windows.storage import ENTRY, NONE, ROOT, STREAM, Directory, Entry, name_of, tree_order

_RED, _BLACK = 0, 1
_ROOT_NAME = "Root Entry".encode("utf-16-le")


def write_directory(root: Directory, starts: Mapping[Entry, int], mini: int, mini_bytes: int, per: int) -> bytes:
    """The directory: the root, then what is in each storage, depth first.

    Args:
        starts: where each stream begins; mini, mini_bytes: where all small streams begin, and their size; per: entries
        in a sector, which the last one is filled to.
    """
    rows: list[bytes] = [b""]

    def place(storage: Directory) -> int:
        """Gives the members of a storage their numbers; the number of the one that the others hang from."""
        members = sorted(storage.members(), key=lambda one: tree_order(name_of(one)))
        numbers = range(len(rows), len(rows) + len(members))
        rows.extend([b""] * len(members))
        links, top = _tree(len(members))
        for number, member, (left, right, colour) in zip(numbers, members, links, strict=True):
            entry = member if isinstance(member, Entry) else member.entry
            child = NONE if isinstance(member, Entry) else place(member)
            before, after = (NONE if one is None else numbers[one] for one in (left, right))
            start = starts[entry] if entry.kind == STREAM else 0
            rows[number] = _row(entry, colour, before, after, child, start, entry.size)
        return NONE if top is None else numbers[top]

    rows[0] = _row(root.entry, _BLACK, NONE, NONE, place(root), mini, mini_bytes)
    empty = ENTRY.pack(b"", 0, 0, 0, NONE, NONE, NONE, bytes(16), bytes(4), bytes(8), bytes(8), 0, 0, 0)
    return b"".join(rows) + empty * (-len(rows) % per)


def _row(entry: Entry, colour: int, left: int, right: int, child: int, start: int, size: int) -> bytes:
    length = len(entry.name) + 2 if entry.kind != ROOT else len(_ROOT_NAME) + 2
    name = entry.name if entry.kind != ROOT else _ROOT_NAME
    return ENTRY.pack(name, length, entry.kind, colour, left, right, child, entry.clsid, entry.state, entry.created,
                      entry.modified, start, size, 0)  # fmt: skip


def _tree(count: int) -> tuple[list[tuple[int | None, int | None, int]], int | None]:
    """A red-black tree over 0 … count-1, as full as can be: (left, right, colour) of each, and the topmost.

    Every path is equally long but for the last level, which is red."""
    links: list[tuple[int | None, int | None, int]] = [(None, None, _BLACK)] * count
    full = (count + 1).bit_length() - 1

    def hang(low: int, high: int, depth: int) -> int | None:
        if low >= high:
            return None
        middle = (low + high) // 2
        links[middle] = (
            hang(low, middle, depth + 1),
            hang(middle + 1, high, depth + 1),
            _RED if depth >= full else _BLACK,
        )
        return middle

    return links, hang(0, count, 0)
