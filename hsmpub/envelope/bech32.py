"""Bech32, in which age writes its keys. Source: BIP 173; age takes it without the limit of 90 characters."""

from __future__ import annotations

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK = 6


def read_bech32(prefix: str, text: str) -> bytes | None:
    """The bytes of a lower-case text with this prefix, or None where there is any mistake."""
    found, _, rest = text.rpartition("1")
    if found != prefix or len(rest) < _CHECK or any(char not in _ALPHABET for char in rest):
        return None
    values = [_ALPHABET.index(char) for char in rest]
    head = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    if _checksum(head + values) != 1:
        return None
    number, bits = 0, 5 * (len(values) - _CHECK)
    for value in values[:-_CHECK]:
        number = number << 5 | value
    spare = bits % 8
    if spare >= 5 or number & ((1 << spare) - 1):  # padding is short, and zero
        return None
    return (number >> spare).to_bytes(bits // 8, "big")


def _checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATORS):
            check ^= generator if top >> i & 1 else 0
    return check
