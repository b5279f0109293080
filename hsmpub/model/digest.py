"""Content digests: SHA-256, lower-case hex of 64 characters wherever a digest is text."""

from __future__ import annotations

import hashlib
import re

_HEX = re.compile(r"[0-9a-f]{64}")


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` as 64 lower-case hex characters."""
    return hashlib.sha256(data).hexdigest()


def is_sha256_hex(text: str) -> bool:
    return _HEX.fullmatch(text) is not None
