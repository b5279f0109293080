"""Formats that say which ranges of a file stay as they are when the signature is put in.

So whoever writes the signed file knows its size and every place in it before the first byte is written, and needs not
take it front to back.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from hsmpub.formats.base import FormatBase
from hsmpub.formats.noted import NotedSource
from hsmpub.formats.source import Source, pieces


class Kept(NamedTuple):
    """A range of the file as it was, in bytes."""

    offset: int
    size: int


#: Of a signed file: new bytes, or a range that is kept.
Part: TypeAlias = "bytes | memoryview | Kept"


class Spliced(FormatBase):
    """A format that is put into files of any size."""

    @abstractmethod
    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        """The signed file, part by part; its new parts together are small. Raises as `Format.attach`."""

    def ahead(self, source: NotedSource) -> None:
        """Notes what `splice` has to look through the file for. May go on beside `extract`, which may note such things
        itself. Raises as `Format.extract`."""

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        return as_bytes(source, self.splice(source, output))


def as_bytes(source: Source, parts: Iterable[Part]) -> Iterator[bytes]:
    """The parts one after the other, in pieces. Raises FileTooShort."""
    for part in parts:
        if isinstance(part, Kept):
            yield from pieces(source, part.offset, part.size)
        else:
            yield bytes(part)
