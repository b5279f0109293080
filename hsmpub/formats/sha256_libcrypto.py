"""SHA-256 in libcrypto from given chaining words: the same arithmetic as `sha256_block`, at native speed.

Where its low-level functions are missing, or its context is laid out in another way, `find_libcrypto` says so with
None.
Source: OpenSSL 3, openssl/sha.h, SHA256_CTX (h[8], Nl, Nh, data[64], num, md_len).
"""

from __future__ import annotations

import ctypes
import functools
import struct

from hsmpub.formats.libcrypto import libcryptos
from hsmpub.formats.sha256_block import IV, Words, finish

_CONTEXT = struct.Struct("=8I2I64s2I")
#: More than any libcrypto's context takes, should one be larger than the known 112 bytes.
CONTEXT_BYTES = 256
_Context = ctypes.c_char * CONTEXT_BYTES
_Digest = ctypes.c_char * 32


class Libcrypto:
    """The three functions, and a context as bytes that Python may fill and read."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._init = library.SHA256_Init
        # A microsecond's work: to give the interpreter's lock away for it costs more, and may cost a wait for it.
        self._final = ctypes.PyDLL(library._name, handle=library._handle).SHA256_Final
        self.update = library.SHA256_Update
        self.update.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        self._init.argtypes = (ctypes.c_void_p,)
        self._final.argtypes = (ctypes.c_char_p, ctypes.c_void_p)

    def begin(self) -> ctypes.Array[ctypes.c_char]:
        """A context for a new message. Feed it with `update(context, address or bytes, length)`."""
        context = _Context()
        self._init(context)
        return context

    def read(self, context: ctypes.Array[ctypes.c_char]) -> tuple[Words, bytes, int]:
        """Chaining words, the unhashed tail, and the size so far in bytes."""
        fields = _CONTEXT.unpack_from(context)
        size = (fields[9] << 32 | fields[8]) >> 3
        return fields[:8], fields[10][: fields[11]], size

    def advance(self, state: Words, tail: bytes, size: int, more: bytes) -> tuple[Words, bytes]:
        """Words and tail after `more`, for a message of `size` bytes so far."""
        context = self._resume(state, tail, size)
        self.update(context, more, len(more))
        words, tail, _ = self.read(context)
        return words, tail

    def finish(self, state: Words, tail: bytes, size: int) -> bytes:
        """The 32-byte digest."""
        out = _Digest()
        self._final(out, self._resume(state, tail, size))
        return out.raw

    def _resume(self, state: Words, tail: bytes, size: int) -> ctypes.Array[ctypes.c_char]:
        bits = 8 * size
        context = _Context()
        _CONTEXT.pack_into(context, 0, *state, bits & 0xFFFFFFFF, bits >> 32, tail, len(tail), 32)
        return context


@functools.cache
def find_libcrypto() -> Libcrypto | None:
    """libcrypto with a context that was tried and found to be as expected, else None."""
    for library in libcryptos():
        try:
            found = Libcrypto(library)
        except AttributeError:
            continue
        if _is_as_expected(found):
            return found
    return None


def _is_as_expected(library: Libcrypto) -> bool:
    message = bytes(range(100))
    context = library.begin()
    if library.read(context) != (IV, b"", 0):
        return False
    library.update(context, message, len(message))
    words, tail, size = library.read(context)
    if (tail, size) != (message[64:], 100):
        return False
    return library.finish(words, tail, size) == finish(words, tail, size)
