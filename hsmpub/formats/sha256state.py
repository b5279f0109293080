"""A file's SHA-256, unfinished: the one thing that the service needs to know of a file that it does not hold.

From it follow the file's own digest and the digest of the file with something appended, such as the trailer of an
OpenPGP signature. So a client sends some hundred bytes for a file of any size, and the service alone chooses what
it appends; a client that sent finished digests could choose the signature's type.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Protocol

from hsmpub.errors import Invalid
from hsmpub.formats.sha256_block import IV, Words, advance, finish
from hsmpub.formats.sha256_libcrypto import find_libcrypto
from hsmpub.model.submission import HashState

#: SHA-256 counts bits in 64 bits; three bytes of room for whatever is appended.
MAX_SIZE = 2**61 - 2**24

_WORDS, _WORDS_BYTES = struct.Struct(">8I"), 32
_native = find_libcrypto()


class HashStateMalformed(Invalid):
    advice = "Hash the file again with 'hsmpub sign', or upload it."


class FileHash(Protocol):
    """What formats ask of a hashed file. Its `digest` is the plain SHA-256 of the file, 32 bytes."""

    @property
    def size(self) -> int: ...

    def digest(self) -> bytes: ...

    def with_suffix(self, suffix: bytes) -> FileHash: ...


class Sha256State:
    """Immutable. words: eight 32-bit chaining words; tail: the last `size % 64` bytes; size: bytes in all."""

    __slots__ = ("_digest", "_size", "_tail", "_words")

    def __init__(self, words: Words, tail: bytes, size: int) -> None:
        self._words = words
        self._tail = tail
        self._size = size
        self._digest: bytes | None = None

    @classmethod
    def of_state(cls, state: HashState) -> Sha256State:
        """The state that a client sent.

        Raises:
            HashStateMalformed: it is not the state of any file.
        """
        data = _read_hex(state)
        if not 0 <= state.size <= MAX_SIZE:
            raise HashStateMalformed(f"The hash state of {state.name!r} names an impossible size.")
        if len(data) - _WORDS_BYTES != state.size % 64:
            raise HashStateMalformed(f"The hash state of {state.name!r} has a tail that does not fit its size.")
        h = _WORDS.unpack_from(data)
        # No file reaches the initial value again; one that seems to was not hashed to its end.
        if (h == IV) != (state.size < 64):
            raise HashStateMalformed(f"The hash state of {state.name!r} has chaining words that do not fit its size.")
        return cls(h, data[_WORDS_BYTES:], state.size)

    @classmethod
    def of(cls, data: bytes) -> Sha256State:
        """The state after `data`, for bytes that are at hand."""
        return cls(IV, b"", 0).with_suffix(data)

    @property
    def size(self) -> int:
        return self._size

    def digest(self) -> bytes:
        """Plain SHA-256 of the file, raw, 32 bytes; computed once."""
        if self._digest is None:
            done = _native.finish if _native else finish
            self._digest = done(self._words, self._tail, self._size)
        return self._digest

    def with_suffix(self, suffix: bytes) -> Sha256State:
        """The state of the file followed by `suffix`."""
        if _native:
            words, tail = _native.advance(self._words, self._tail, self._size, suffix)
        else:
            words, tail = advance(self._words, self._tail + suffix)
        return Sha256State(words, tail, self._size + len(suffix))

    def to_state(self, name: str) -> HashState:
        """As it travels."""
        return HashState(name, _WORDS.pack(*self._words).hex(), self._tail.hex(), self._size)


class HeldSha256:
    """A file that the service itself has just hashed with `hashlib`. The hash object must not be fed any more."""

    __slots__ = ("_hash", "_size")

    def __init__(self, hash_: hashlib._Hash, size: int) -> None:
        self._hash = hash_
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def digest(self) -> bytes:
        return self._hash.digest()

    def with_suffix(self, suffix: bytes) -> HeldSha256:
        copy = self._hash.copy()
        copy.update(suffix)
        return HeldSha256(copy, self._size + len(suffix))


def _read_hex(state: HashState) -> bytes:
    """Chaining words and tail. Lower-case hex only: one state has one spelling."""
    spelled = state.h + state.tail
    try:
        data = bytes.fromhex(spelled)
    except ValueError:
        raise HashStateMalformed(f"The hash state of {state.name!r} is not hex.") from None
    if data.hex() != spelled:
        raise HashStateMalformed(f"The hash state of {state.name!r} is not plain lower-case hex.")
    if len(state.h) != 2 * _WORDS_BYTES:
        raise HashStateMalformed(f"The hash state of {state.name!r} has {len(state.h)} digits in h, not 64.")
    return data
