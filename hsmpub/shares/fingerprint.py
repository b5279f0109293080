"""Fingerprints that can be read aloud across a room: words of the SLIP-39 list, which differ in their first letters."""

from __future__ import annotations

import hashlib

from shamir_mnemonic.wordlist import WORDLIST

_WORDS = 12
_BITS = 10


def fingerprint_words(data: bytes) -> str:
    """The first 120 bits of SHA-256 of `data` as twelve words."""
    bits = int.from_bytes(hashlib.sha256(data).digest(), "big") >> (256 - _WORDS * _BITS)
    indexes = [bits >> _BITS * (_WORDS - 1 - place) & 0x3FF for place in range(_WORDS)]
    return " ".join(WORDLIST[index] for index in indexes)
