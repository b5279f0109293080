"""PINs that nobody has seen."""

from __future__ import annotations

import secrets
import string

_ALPHABET = (string.ascii_letters + string.digits).encode()


def new_pin(length: int = 40) -> bytearray:
    """A random PIN of ASCII letters and digits, 5.95 bits a character.

    Args:
        length: characters. 32 and more are beyond guessing; some modules take only 8.
    """
    pin = bytearray(length)
    for place in range(length):
        pin[place] = _ALPHABET[secrets.randbelow(len(_ALPHABET))]
    return pin
