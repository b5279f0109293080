"""Foreign text on a terminal: what could move the cursor, recolour or reorder is shown as what it is."""

from __future__ import annotations

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\x1b"}


def visible(text: str, *, lines: bool = False) -> str:
    """`text` with every character that is not plainly printable written as an escape.

    Control characters, escape sequences, bidirectional marks, zero-width characters and line separators lose their
    effect; letters of any script stay.

    Args:
        lines: keep line feeds, for whole texts.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or (lines and c == "\n") else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
