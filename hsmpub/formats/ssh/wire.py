"""Reading the SSH wire encoding: strict, and every byte accounted for.

Source: RFC 4251, 5.
"""

from __future__ import annotations


class WireMalformed(ValueError):
    """The bytes are not what the encoding allows. Callers turn it into the rule of their own format."""


class Reader:
    """Reads values one after the other; `end` insists that nothing is left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise WireMalformed("ends early")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.uint32())

    def exactly(self, count: int) -> bytes:
        """A string of `count` bytes."""
        value = self.string()
        if len(value) != count:
            raise WireMalformed("string of another length")
        return value

    def text(self) -> str:
        """A string of printable ASCII."""
        value = self.string()
        if not all(0x20 <= byte < 0x7F for byte in value):
            raise WireMalformed("not plain text")
        return value.decode("ascii")

    def mpint(self) -> int:
        """A non-negative integer in its shortest form; zero is the empty string."""
        value = self.string()
        if value and (value[0] & 0x80 or (value[0] == 0 and (len(value) == 1 or not value[1] & 0x80))):
            raise WireMalformed("integer negative or not in its shortest form")
        return int.from_bytes(value, "big")

    def end(self) -> None:
        if self._at != len(self._data):
            raise WireMalformed("bytes left over")
