"""Takes the text armour off an encrypted file, as a stream: a line at a time, whatever the size.

    with path.open("rb") as file:
        data = without_armour(file)      # the file itself where it has none
        data.read(1 << 20)               # fewer bytes at the end only

Strict in its form, so that a file has one reading; the content protects itself. OpenPGP's checksum is not computed: it
finds no attack, and RFC 9580 has nobody refuse for it.
Source: C2SP age.md, "ASCII armor"; RFC 9580, 6; RFC 7468, 2 (CMS in PEM).
"""

from __future__ import annotations

import binascii
from typing import Protocol

from hsmpub.envelope.rules import ArmourMalformed

#: First line → last line. `PKCS7` is how openssl names the same.
_ENDS = {
    b"-----BEGIN %b-----" % kind: b"-----END %b-----" % kind
    for kind in (b"AGE ENCRYPTED FILE", b"PGP MESSAGE", b"CMS", b"PKCS7")
}
_PGP = b"-----BEGIN PGP MESSAGE-----"
#: age and gpg write 64, RFC 9580 has 76 at most.
_LINE_BYTES = 76
_TEXT_BYTES = 1024
_MOST_HEADERS = 32


class Source(Protocol):
    """A file that is open for reading in binary, or one whose armour is off."""

    def read(self, count: int, /) -> bytes: ...


class Lines(Source, Protocol):
    def readline(self, most: int, /) -> bytes: ...
    def seek(self, at: int, /) -> int: ...


def without_armour(file: Lines) -> Source:
    """The file itself, or what its armour holds.

    Args:
        file: at its beginning.

    Raises:
        ArmourMalformed: also later, by `read`.
    """
    first = file.readline(_TEXT_BYTES).rstrip(b" \t\r\n")
    if first in _ENDS:
        return _Armoured(file, first)
    file.seek(0)
    return file


class _Armoured:
    def __init__(self, file: Lines, first: bytes) -> None:
        self._file, self._end = file, _ENDS[first]
        self._ready = bytearray()
        self._is_pgp = first == _PGP
        self._is_last = self._is_over = False
        if self._is_pgp:
            self._skip_headers()

    def read(self, count: int, /) -> bytes:
        while len(self._ready) < count and not self._is_over:
            self._take_line()
        taken = bytes(self._ready[:count])
        del self._ready[:count]
        return taken

    def _skip_headers(self) -> None:
        """`Comment: …` and such, up to an empty line."""
        for _ in range(_MOST_HEADERS):
            line = self._line(_TEXT_BYTES)
            if not line:
                return
            if b": " not in line and not line.endswith(b":"):
                break
        raise ArmourMalformed("The armour's head does not end with an empty line.")

    def _take_line(self) -> None:
        line = self._line(_LINE_BYTES + 2)
        if line == self._end:
            self._finish()
        elif self._is_pgp and len(line) == 5 and line.startswith(b"="):  # the checksum
            self._expect_end()
        elif self._is_last or not line:
            raise ArmourMalformed("The armour goes on after its last line, or has an empty one.")
        else:
            self._ready += self._decoded(line)

    def _decoded(self, line: bytes) -> bytes:
        self._is_last = line.endswith(b"=")
        try:
            data = binascii.a2b_base64(line, strict_mode=True)
        except binascii.Error:
            raise ArmourMalformed("A line of the armour is not base64.") from None
        if self._is_last and binascii.b2a_base64(data, newline=False) != line:  # bits beyond the last byte
            raise ArmourMalformed("The armour is spelled in an unusual way.")
        return data

    def _expect_end(self) -> None:
        if self._line(_TEXT_BYTES) != self._end:
            raise ArmourMalformed("The armour goes on after its checksum.")
        self._finish()

    def _finish(self) -> None:
        """Only white space may follow."""
        if self._file.read(_TEXT_BYTES).strip(b" \t\r\n") or self._file.read(1):
            raise ArmourMalformed("Something follows the armour.")
        self._is_over = True

    def _line(self, most: int) -> bytes:
        line = self._file.readline(most + 1)
        if not line:
            raise ArmourMalformed("The armour has no last line: the file was cut short.")
        if len(line) > most:
            raise ArmourMalformed("A line of the armour is too long.")
        return line.rstrip(b"\r\n")
