"""Reads binary structures front to back; whoever reads past the end gets the format's own error."""

from __future__ import annotations

from hsmpub.formats.format import OutputMalformed


class Cursor:
    """rule: the error to raise when bytes are missing or left over."""

    __slots__ = ("_at", "_data", "_rule")

    def __init__(self, data: bytes, rule: type[OutputMalformed]) -> None:
        self._data = data
        self._rule = rule
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise self._rule("The signature ends too early.")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, width: int) -> int:
        """Big-endian, `width` bytes."""
        return int.from_bytes(self.take(width), "big")

    def sized(self, width: int) -> bytes:
        """Bytes that follow their own big-endian length of `width` bytes."""
        data, begin = self._data, self._at + width
        end = begin + int.from_bytes(data[self._at : begin], "big")
        if end > len(data):  # also where the length itself is cut short: `begin` is beyond the end then
            raise self._rule("The signature ends too early.")
        self._at = end
        return data[begin:end]

    def expect(self, wanted: bytes, what: str) -> None:
        if self.take(len(wanted)) != wanted:
            raise self._rule(f"The signature has an unexpected {what}.")

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def end(self) -> None:
        if self.left:
            raise self._rule(f"The signature goes on for {self.left} bytes after its end.")
