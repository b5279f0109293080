"""The headers of this API, read strictly: base64 and decimal, nothing else."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import Any

from api.problem import HeaderRefused

SESSION = b"hsmpub-session"
COUNTER = b"hsmpub-counter"
MAC = b"hsmpub-mac"
SIGNATURE = b"hsmpub-signature"
SHA256 = b"hsmpub-sha256"

RawHeaders = Iterable[tuple[bytes, bytes]]
#: Session, counter, MAC.
CiHeaders = tuple[bytes, int, bytes]


def header(headers: RawHeaders, name: bytes) -> bytes:
    """The value of a header, or empty."""
    for key, value in headers:
        if key == name:
            return value
    return b""


def base64_value(value: bytes, name: bytes, *, exact: int = 0, at_most: int = 12_000) -> bytes:
    """The bytes of a base64 value.

    Raises:
        HeaderRefused: missing, not base64, or not `exact` bytes long.
    """
    if not value or len(value) > at_most:
        raise HeaderRefused(f"The header {name.decode().title()} is missing or too long.")
    try:
        data = binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        raise HeaderRefused(f"The header {name.decode().title()} is not base64.") from None
    if exact and len(data) != exact:
        raise HeaderRefused(f"The header {name.decode().title()} is not {exact} bytes in base64.")
    return data


def ci_headers(headers: RawHeaders) -> CiHeaders:
    """Session, counter and MAC of a CI job's request.

    Raises:
        HeaderRefused: one of them is missing or malformed.
    """
    last = dict(headers)  # of each name
    counter = last.get(COUNTER, b"")
    if not counter.isdigit() or len(counter) > 18:
        raise HeaderRefused("The header Hsmpub-Counter is not a number.")
    session = base64_value(last.get(SESSION, b""), SESSION, at_most=100)
    return session, int(counter), base64_value(last.get(MAC, b""), MAC, exact=32)


def content_length(scope: Any) -> int | None:
    """Bytes that the sender announced, if it did."""
    value = header(scope["headers"], b"content-length")
    return int(value) if value.isdigit() else None
