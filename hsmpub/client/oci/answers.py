"""What registries write into their answers beside manifests and blobs: addresses and tokens. Neither is believed."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import msgspec

#: An address that is none: no host, and not empty.
NOWHERE = "//"


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def address_in(said: str, base: str = "") -> str:
    """The address that an answer names, seen from `base`; NOWHERE: it is none."""
    try:
        url = urljoin(base, said)
        urlsplit(url)
    except ValueError:
        return NOWHERE
    return url


def token_in(answer: bytes) -> bytes:
    """The token; empty: there is none that fits into a header line. Source: the token protocol of distribution."""
    try:
        given = msgspec.json.decode(answer, type=_Token)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return b""
    token = given.token or given.access_token
    return token.encode() if token.isascii() and token.isprintable() and " " not in token else b""
