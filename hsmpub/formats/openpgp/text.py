"""Text that carries its OpenPGP signature: the framework of `-----BEGIN PGP SIGNED MESSAGE-----`.

What is signed is the text in its canonical form: lines without blanks at their ends, joined by CRLF, without an end of
line after the last. Carriage returns and other control characters are refused: readers differ about them.

The header `Hash:` is for old readers of version 4, which want to know the hash before the text. RFC 9580 has version 6
without it; so the head says which version the signature at the end is of.
Source: RFC 4880, section 7; RFC 9580, 6.2.2.3 and 7.
"""

from __future__ import annotations

import re
from typing import Literal

from hsmpub.errors import Invalid
from hsmpub.formats.source import Source

Version = Literal[4, 6]
_MARK = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
#: What a text begins with whose signature is of this version.
_BEGIN: dict[Version, bytes] = {4: _MARK + b"Hash: SHA256\n\n", 6: _MARK + b"\n"}
_SIGNATURE = b"\n-----BEGIN PGP SIGNATURE-----\n"
#: Debian's largest Release files have some 200 KB.
MAX_TEXT_BYTES = 16 << 20
#: gpg splits longer lines, and then disagrees about what was signed.
_MAX_LINE_BYTES = 16_000
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class TextUnfit(Invalid):
    advice = "Only plain text of UTF-8 with line feeds alone can carry a signature; write the file again."


def read_text(source: Source, version: Version = 4) -> tuple[bytes, bytes | None]:
    """The text itself, and the armoured signature that it carries; None: it carries none of this version.

    Raises:
        TextUnfit.
    """
    if source.size > MAX_TEXT_BYTES:
        raise TextUnfit(f"A text of over {MAX_TEXT_BYTES >> 20} MiB cannot carry a signature.")
    data = source.read(0, source.size)
    if not data.startswith(_MARK[:-1]):
        return _checked(data), None
    found = next((one for one, begin in _BEGIN.items() if data.startswith(begin)), None)
    at = data.rfind(_SIGNATURE)
    if found is None or at < len(_BEGIN[found]) - 1:
        raise TextUnfit("The text carries a signature in a form that is not of this service.")
    lines = data[len(_BEGIN[found]) : at].split(b"\n")
    if any(line.startswith(b"-") and not line.startswith(b"- ") for line in lines):
        raise TextUnfit("The signed text holds a line that only marks of the framework begin with.")
    text = b"".join(line.removeprefix(b"- ") + b"\n" for line in lines)
    return _checked(text), data[at + 1 :] if found == version else None


def _checked(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise TextUnfit("The text is not UTF-8.") from None
    if not text.strip() or _CONTROL.search(text):
        raise TextUnfit("The text is empty, or holds carriage returns or other control characters.")
    if max(map(len, text.split(b"\n"))) > _MAX_LINE_BYTES:
        raise TextUnfit(f"A line of the text has over {_MAX_LINE_BYTES:,} bytes.")
    return text


def canonical(text: bytes) -> bytes:
    """What is hashed of a text."""
    return b"\r\n".join(line.rstrip(b" \t") for line in text.removesuffix(b"\n").split(b"\n"))


def framed(text: bytes, signature: bytes, version: Version = 4) -> bytes:
    """The text with its armoured signature, which is of this version."""
    lines = text.removesuffix(b"\n").split(b"\n")
    escaped = b"".join((b"- " if line.startswith(b"-") else b"") + line + b"\n" for line in lines)
    return _BEGIN[version] + escaped + signature
