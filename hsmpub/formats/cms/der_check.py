"""Is this DER at all? Asked before any parser sees it.

Only what these formats use: one-byte tags, definite shortest lengths, nothing after the end, a bounded depth. (A parser
of a whole ASN.1 toolbox can be led in circles by tags of many bytes.) Source: ITU-T X.690, sections 8.1 and 10.1.
"""

from __future__ import annotations

MAX_DEPTH = 24
MAX_BYTES = 1 << 20


def check_der(data: bytes) -> None:
    """Raises ValueError unless `data` is one value in DER."""
    if len(data) > MAX_BYTES:
        raise ValueError("too long")
    if _walk(data, 0, len(data), 0) != 1:
        raise ValueError("not one value")


def contents(value: bytes) -> bytes:
    """What is in a value that was checked."""
    _, start, end = value_at(value, 0, len(value))
    return value[start:end]


def members(contents: bytes) -> list[bytes]:
    """The values that contents consist of. Raises ValueError."""
    found, at = [], 0
    while at < len(contents):
        _, _, end = value_at(contents, at, len(contents))
        found.append(contents[at:end])
        at = end
    return found


def sequence_size(data: bytes) -> int | None:
    """Bytes of the SEQUENCE that begins here, whatever follows it; None: there is none, or it is cut short."""
    try:
        tag, _, end = value_at(data, 0, len(data))
    except ValueError:
        return None
    return end if tag == 0x30 else None


def _walk(data: bytes, at: int, end: int, depth: int) -> int:
    """How many values there are from `at` to `end`."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    count = 0
    while at < end:
        tag, body, stop = value_at(data, at, end)
        if tag & 0x20:
            _walk(data, body, stop, depth + 1)
        at = stop
        count += 1
    return count


def value_at(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, start and end of the contents of the value at `at`."""
    if end - at < 2:
        raise ValueError("cut short")
    tag, size = data[at], data[at + 1]
    body = at + 2
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag of many bytes")
    if size >= 0x80:
        width = size & 0x7F
        if not 1 <= width <= 4 or body + width > end:
            raise ValueError("no definite length")
        size = int.from_bytes(data[body : body + width], "big")
        if size < 0x80 or size >> (8 * (width - 1)) == 0:
            raise ValueError("not the shortest length")
        body += width
    if body + size > end:
        raise ValueError("cut short")
    return tag, body, body + size
