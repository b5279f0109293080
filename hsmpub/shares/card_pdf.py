"""One page of PDF, written by hand: text in the standard fonts, and black rectangles. No file, no library.

Everything goes into one bytearray that its owner wipes.
Source: ISO 32000-1, 7.3, 7.5, 8.5.2, 9.4, 9.6.2.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

A4 = (595, 842)  # points of 1/72 inch
Font = Literal["regular", "bold", "mono"]
_FONTS: dict[Font, tuple[bytes, bytes]] = {
    "regular": (b"F1", b"Helvetica"),
    "bold": (b"F2", b"Helvetica-Bold"),
    "mono": (b"F3", b"Courier"),
}


class Page:
    """An A4 page in the making; the origin is its lower left corner, in points."""

    def __init__(self) -> None:
        self._content = bytearray()

    def text(self, x: float, y: float, size: float, text: bytes | bytearray | str, font: Font = "regular") -> None:
        """A line whose baseline begins there; what is not printable ASCII becomes a question mark."""
        raw = text.encode("ascii", "replace") if isinstance(text, str) else text
        self._content += b"BT /%b %g Tf %g %g Td (" % (_FONTS[font][0], size, x, y)
        for byte in raw:
            self._content += b"\\%c" % byte if byte in b"()\\" else b"%c" % byte if 32 <= byte < 127 else b"?"
        self._content += b") Tj ET\n"

    def boxes(self, boxes: Iterable[tuple[float, float, float, float]]) -> None:
        """Black rectangles: left, bottom, width, height."""
        for box in boxes:
            self._content += b"%g %g %g %g re\n" % box
        self._content += b"f\n"

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """A rectangle's outline."""
        self._content += b"%g %g %g %g re S\n" % (x, y, width, height)

    def pdf(self) -> bytearray:
        """The file. Wipe it and `content` when it is written."""
        fonts = b" ".join(b"/%b %d 0 R" % (name, 5 + at) for at, (name, _) in enumerate(_FONTS.values()))
        head = [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R /Resources << /Font << %b >> >> >>"
            % (*A4, fonts),
        ]
        kinds = b"<< /Type /Font /Subtype /Type1 /BaseFont /%b /Encoding /WinAnsiEncoding >>"
        out, places = bytearray(b"%PDF-1.4\n"), []
        for body in head:
            places.append(len(out))
            out += b"%d 0 obj\n%b\nendobj\n" % (len(places), body)
        places.append(len(out))
        out += b"4 0 obj\n<< /Length %d >>\nstream\n" % len(self._content)
        out += self._content
        out += b"\nendstream\nendobj\n"
        for _, name in _FONTS.values():
            places.append(len(out))
            out += b"%d 0 obj\n%b\nendobj\n" % (len(places), kinds % name)
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        for place in places:
            out += b"%010d 00000 n \n" % place
        out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, start)
        return out

    @property
    def content(self) -> bytearray:
        """The drawing operators; to be wiped with the file."""
        return self._content
