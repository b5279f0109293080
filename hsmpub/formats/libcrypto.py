"""The libcrypto of this process, by ctypes, for the few things that no Python library offers."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

_LAST_RESORTS = ("libcrypto.so.3", "libcrypto.so.4", "libcrypto.so.1.1", "libcrypto.3.dylib")


def libcryptos() -> Iterator[ctypes.CDLL]:
    """The one that Python's own `hashlib` is linked to, so that nothing foreign is loaded; then by usual names.

    Whoever takes one tries that it has what is wanted, and does without where none has.
    """
    for name in (_linked_to_hashlib(), *_LAST_RESORTS):
        if name:
            with contextlib.suppress(OSError):
                yield ctypes.CDLL(name)


def _linked_to_hashlib() -> str | None:
    """Looking a symbol up in the extension's handle searches the libraries that it is linked to."""
    try:
        import _hashlib
    except ImportError:
        return None
    return getattr(_hashlib, "__file__", None)
