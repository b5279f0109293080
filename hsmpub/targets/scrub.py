"""Keeps a credential out of what a target says back."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from urllib.parse import quote

#: Bytes of the credential, in whatever form, that may never be repeated in a row.
WINDOW = 8
_LONGEST = 300


def _forms(credential: bytes, user: bytes) -> Iterator[bytes]:
    """The credential as a hostile or careless server may echo it."""
    yield credential
    yield credential[::-1]
    yield credential.hex().encode()
    yield quote(credential, safe="").encode()
    yield repr(credential)[2:-1].encode()
    for pad in range(3):  # a base64 text depends on where in the stream the secret starts
        encoded = base64.b64encode(b"\0" * pad + credential).rstrip(b"=")
        yield encoded[4 if pad else 0 :]
        yield base64.urlsafe_b64encode(b"\0" * pad + credential).rstrip(b"=")[4 if pad else 0 :]
    yield base64.b64encode(user + b":" + credential).rstrip(b"=")


def repeats(text: bytes, credential: bytes | bytearray, user: bytes = b"") -> bool:
    """True when `text` holds any eight bytes in a row of the credential, in a known encoding."""
    haystack = re.sub(rb"\s+", b"", text).lower()
    for form in _forms(bytes(credential), user):
        needle = re.sub(rb"\s+", b"", form).lower()
        width = min(WINDOW, len(needle))
        if width and any(needle[i : i + width] in haystack for i in range(len(needle) - width + 1)):
            return True
    return False


def scrub(body: bytes, credential: bytes | bytearray, user: bytes = b"") -> str:
    """A target's words, fit for a log: at most 300 printable characters, or none when they repeat the credential."""
    text = printable(body)
    if repeats(body, credential, user) or repeats(text.encode(), credential, user):
        return "(the answer repeats the credential and is withheld)"
    return text


def printable(body: bytes) -> str:
    """At most 300 characters in one line, without control characters and markup."""
    text = re.sub(r"<[^>]*>", " ", body[:8192].decode("utf-8", "replace"))
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:_LONGEST]
