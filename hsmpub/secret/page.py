"""A page of memory for a PIN, a share or a credential, that leaves no copy behind.

Three grades, named by `SecretPage.protection`, best first:

- `memfd_secret`: the kernel drops the page from its own map; not even root reads it through /proc, and it
  is in no core file and no swap (Linux 5.14, `memfd_secret(2)`).
- `mlock`: an anonymous page kept out of swap, out of core files and out of forked children.
- `none`: the same page where the lock was refused (RLIMIT_MEMLOCK); it may reach swap.

Python code that only slices `view` or passes it to ctypes makes no copy; `bytes(view)` does.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from types import TracebackType
from typing import Literal, Self

Protection = Literal["memfd_secret", "mlock", "none"]

#: The same number on x86_64, aarch64 and every other architecture with the generic table.
_SYS_MEMFD_SECRET = 447
_LIBC = ctypes.CDLL(None, use_errno=True)
#: Before what is handed over: its length.
_HEADER_BYTES = 8


def wipe(buffer: bytearray | memoryview | mmap.mmap) -> None:
    """Overwrites `buffer` with zeros in place. It keeps its length; read-only views are refused."""
    size = len(buffer)
    if size:
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(buffer)), 0, size)


class SecretPage:
    """Secret memory of a fixed capacity, filled from a pipe, a socket or a bytearray.

    Args:
        capacity: bytes that fit; rounded up to whole pages.
    """

    def __init__(self, capacity: int = 4096) -> None:
        size = -(-max(capacity, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
        self.protection: Protection
        self._map, self.protection = _secret_map(size)
        self._whole = memoryview(self._map)
        self._filled = 0

    @property
    def view(self) -> memoryview:
        """The filled part, writable; valid until `close`. Slicing it copies nothing."""
        return self._whole[: self._filled]

    @property
    def address(self) -> int:
        """Where the page starts, for ctypes calls that take a pointer and a length."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def __len__(self) -> int:
        return self._filled

    def __repr__(self) -> str:
        return f"<SecretPage {self.protection}>"

    def fill_from(self, fd: int, n: int) -> None:
        """Reads exactly `n` bytes from `fd` straight into the page; what was in it is wiped first.

        Raises:
            EOFError: the other side closed before `n` bytes came; the page is empty then.
            ValueError: `n` is over the capacity.
        """
        self._make_room(n)
        while self._filled < n:
            got = os.readv(fd, [self._whole[self._filled : n]])
            if not got:
                self.wipe()
                raise EOFError("The pipe closed before the whole secret came.")
            self._filled += got

    def send_to(self, fd: int) -> None:
        """Writes the filled part to `fd` straight from the page. The kernel's buffer is the only copy."""
        sent = 0
        while sent < self._filled:
            sent += os.writev(fd, [self._whole[sent : self._filled]])

    def take(self, source: bytearray) -> None:
        """Moves `source` into the page: copies it in and wipes it.

        Raises:
            ValueError: `source` is longer than the capacity; it is left as it was.
        """
        self._make_room(len(source))
        self._whole[: len(source)] = source
        self._filled = len(source)
        wipe(source)

    def hand_over(self) -> int:
        """Copies the content into a page that outlives an exec, for the program that this process turns into.

        Returns:
            An inheritable descriptor for `take_over`. This page is left as it is.

        Raises:
            OSError: the kernel has no secret memory; nothing less will do, for others could read it on its way.
        """
        fd = int(_LIBC.syscall(_SYS_MEMFD_SECRET, 0))
        if fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        try:
            os.ftruncate(fd, _HEADER_BYTES + self._filled)
            with mmap.mmap(fd, _HEADER_BYTES + self._filled, flags=mmap.MAP_SHARED) as there:
                there[:_HEADER_BYTES] = self._filled.to_bytes(_HEADER_BYTES, "big")
                with memoryview(there) as view:
                    view[_HEADER_BYTES:] = self._whole[: self._filled]
        except BaseException:
            os.close(fd)
            raise
        return fd

    def take_over(self, fd: int) -> None:
        """Moves in what `hand_over` left behind `fd`, which is wiped and closed.

        Raises:
            ValueError, OSError: nothing of that kind is there; this page is empty then.
        """
        try:
            size = os.fstat(fd).st_size
            with mmap.mmap(fd, size, flags=mmap.MAP_SHARED) as there:
                length = int.from_bytes(there[:_HEADER_BYTES], "big")
                if length != size - _HEADER_BYTES:
                    raise ValueError("what was left for this program is not a secret")
                self._make_room(length)
                with memoryview(there) as view:
                    self._whole[:length] = view[_HEADER_BYTES:]
                self._filled = length
                wipe(there)
        finally:
            os.close(fd)

    def wipe(self) -> None:
        """Overwrites the whole page; it is empty then and can be filled again."""
        self._filled = 0
        if not self._map.closed:
            wipe(self._map)

    def close(self) -> None:
        """Wipes and gives the memory back, at the latest with the last view of it. Twice is harmless."""
        if self._map.closed:
            return
        self.wipe()
        self._whole.release()
        with contextlib.suppress(BufferError):  # a view is still held: it shows zeros
            self._map.close()

    def _make_room(self, n: int) -> None:
        if n > len(self._map):
            raise ValueError(f"{n} bytes do not fit into a secret page of {len(self._map)}.")
        self.wipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _secret_map(size: int) -> tuple[mmap.mmap, Protection]:
    """The best memory that this kernel and these limits give."""
    fd = _LIBC.syscall(_SYS_MEMFD_SECRET, os.O_CLOEXEC)
    if fd >= 0:
        try:
            os.ftruncate(fd, size)
            page = mmap.mmap(fd, size, flags=mmap.MAP_SHARED)
            _touch(page)
            page.madvise(mmap.MADV_DONTFORK)
            return page, "memfd_secret"
        except OSError:
            pass  # over RLIMIT_MEMLOCK: an ordinary page may still be lockable
        finally:
            os.close(fd)
    page = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page.madvise(mmap.MADV_DONTDUMP)
    page.madvise(mmap.MADV_DONTFORK)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    locked = _LIBC.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) == 0
    return page, "mlock" if locked else "none"


def _touch(page: mmap.mmap) -> None:
    """Faults the pages in now, so that a lack of memory shows here and not at first use."""
    wipe(page)
