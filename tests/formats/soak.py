"""How many signatures tests of many make: more where somebody asks for a soak (`make soak`)."""

from __future__ import annotations

import os

#: Signatures of each format and kind of key.
AT_LEAST = int(os.environ.get("HSMPUB_SOAK", "1200"))


def soaking() -> bool:
    """Time does not matter."""
    return "HSMPUB_SOAK" in os.environ


def has_short_number(raw: bytes) -> bool:
    """One of the numbers of raw P-256 signatures, 32 bytes each, begins with a zero."""
    return any(raw[at] == 0 for at in range(0, len(raw), 32))
