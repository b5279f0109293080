"""Answers of the front's own, which no message of the keeper is."""

from __future__ import annotations

import msgspec


class StoredBody(msgspec.Struct, frozen=True):
    """sha256: hex; size: bytes. Both as the service counted them itself."""

    sha256: str
    size: int


class Health(msgspec.Struct, frozen=True):
    """Both `ok`, or it is no answer of this kind."""

    front: str
    keeper: str
