"""The embedded HSM: SoftHSM 2, with its token in the home."""

from __future__ import annotations

import os
from pathlib import Path

from hsmpub.errors import NotFound

_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


class SoftHsmMissing(NotFound):
    advice = "Install it ('apt install softhsm2'), or name your own module in the ceremony file: [hsm] module = …"


def find_softhsm() -> str:
    """Path of the SoftHSM module: `SOFTHSM2_MODULE`, or where distributions put it. Raises SoftHsmMissing."""
    named = os.environ.get("SOFTHSM2_MODULE", "")
    for place in (named, *_PLACES):
        if place and Path(place).is_file():
            return place
    raise SoftHsmMissing("SoftHSM is not installed.")
