"""The sum of a file's 16-bit words, as the header of a PE file holds it, at the speed of libcrypto.

Whole pieces are added as large numbers: 65,536 is 1 to everybody who folds, so the place of a word does not matter.
libcrypto does that without holding the interpreter; where it is not found, so does Python, somewhat slower.
Source: OpenSSL, BN_lebin2bn(3), BN_add(3), BN_mod_word(3).
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable

from hsmpub.formats.libcrypto import libcryptos

_FOLDED = 0xFFFF
_STEP = 4096


def word_sum(parts: Iterable[bytes]) -> int:
    """What folds to the same as the sum of the little-endian words of what comes; parts may end between words."""
    numbers = find_numbers()
    return _fed(parts, _Native(numbers) if numbers else _Plain())


def fold(total: int) -> int:
    """One's complement: carries come back, down to 16 bits."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class _Plain:
    """Numbers of 4 KiB are added: six times as fast as adding small ones."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, data: bytes) -> None:
        view = memoryview(data)
        self.total += sum(int.from_bytes(view[at : at + _STEP], "little") for at in range(0, len(view), _STEP))


class Numbers:
    """libcrypto's numbers. Raises AttributeError: it lacks one of the functions."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.new, self.free, self.load = library.BN_new, library.BN_free, library.BN_lebin2bn
        self.add, self.rest, self.is_zero = library.BN_add, library.BN_mod_word, library.BN_is_zero
        pointer = ctypes.c_void_p
        self.new.restype = self.load.restype = pointer
        self.free.argtypes, self.free.restype = (pointer,), None
        self.load.argtypes = (ctypes.c_char_p, ctypes.c_int, pointer)
        self.add.argtypes = (pointer, pointer, pointer)
        self.is_zero.argtypes = (pointer,)
        self.rest.argtypes, self.rest.restype = (pointer, ctypes.c_ulong), ctypes.c_ulong


@functools.cache
def find_numbers() -> Numbers | None:
    """libcrypto where it adds as Python does, else None."""
    sample = bytes(range(251)) * 3
    for library in libcryptos():
        try:
            found = Numbers(library)
        except AttributeError:
            continue
        plain, native = _Plain(), _Native(found)
        for one in (plain, native):
            one.add(sample)
            one.add(sample)
        if fold(plain.total) == fold(native.total):
            return found
    return None


class _Native:
    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._sum, self._piece = numbers.new(), numbers.new()
        if not self._sum or not self._piece:
            raise MemoryError

    def add(self, data: bytes) -> None:
        numbers = self._numbers
        if not numbers.load(data, len(data), self._piece) or not numbers.add(self._sum, self._sum, self._piece):
            raise MemoryError

    @property
    def total(self) -> int:
        """A sum that is a multiple of 65,535 folds to that, unless it is nothing at all."""
        if self._numbers.is_zero(self._sum):
            return 0
        return int(self._numbers.rest(self._sum, _FOLDED)) or _FOLDED

    def __del__(self) -> None:
        self._numbers.free(self._sum)
        self._numbers.free(self._piece)


def _fed(parts: Iterable[bytes], into: _Plain | _Native) -> int:
    rest = b""
    for part in parts:
        data = rest + part if rest else part
        even = len(data) & ~1
        rest = data[even:]
        if even:
            into.add(data[:even] if rest else data)
    if rest:
        into.add(rest + b"\0")
    return into.total
