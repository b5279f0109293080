"""What was found out about a file and is wanted again, kept beside it: a large file is not looked through twice.

Notes are plain data (digests, places), never anything that reads the file: they may outlast the source by which they
were made. Nothing is verified by a note about another file; who hands notes on sees to it that the file is the same, or
verifies afterwards what they led to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hsmpub.formats.source import Source

T = TypeVar("T")
#: What it is about → what was found.
Notes = dict[str, Any]


class NotedSource:
    """A file that nobody writes to while this is used, and what is known about it. notes: of the same content."""

    def __init__(self, source: Source, notes: Notes | None = None) -> None:
        self._source = source
        self.notes: Notes = {} if notes is None else notes

    @property
    def size(self) -> int:
        return self._source.size

    def read(self, offset: int, length: int) -> bytes:
        return self._source.read(offset, length)


def noted(source: Source, about: str, look: Callable[[], T]) -> T:
    """What is noted about a file, else what `look` finds, which is noted from then on; a source without notes is
    looked at each time. Raises what `look` raises."""
    if not isinstance(source, NotedSource):
        return look()
    if about not in source.notes:
        source.notes[about] = look()
    found: T = source.notes[about]
    return found
