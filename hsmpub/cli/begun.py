"""The hash of a large file, begun while the command still imports what it needs and opens its session.

A process of its own hashes, for a thread would wait for the interpreter's lock while others import. It reads by a
memory map, which is a tenth faster; a file that is cut short under it, or cannot be read, ends that process alone.
Which file it will be is a guess from the words of the command. So the result counts for a file that is still what was
hashed, and where there is none, the file is hashed as any other.
"""

from __future__ import annotations

import os
import signal
import stat
import struct
import sys
from collections.abc import Callable, Sequence

#: Hashing less takes no longer than this saves.
_WORTH_A_PROCESS = 32 << 20
_WINDOW_BYTES = 8 << 20
_WORDS = struct.Struct(">8I")

Unfinished = tuple[tuple[int, ...], bytes, int]
_begun: list[Begun] = []


class Begun:
    """A file whose hash another process makes. pipe: it sends a byte for each window, then chaining words and tail."""

    def __init__(self, status: os.stat_result, process: int, pipe: int) -> None:
        self._status = status
        self._process = process
        self._pipe = pipe

    def is_of(self, status: os.stat_result) -> bool:
        """Whether this is the file, and nobody wrote to it since."""
        from hsmpub.client.seen import marks  # not before the imports of the command

        return marks(status) == marks(self._status)

    def finish(self, progress: Callable[[int], None] | None) -> Unfinished | None:
        """Waits for chaining words, tail and size. None: the process came to no end."""
        size, said = self._status.st_size, bytearray()
        windows = -(-size // _WINDOW_BYTES)
        while piece := os.read(self._pipe, 4096):
            for window in range(len(said), min(len(said) + len(piece), windows)):
                if progress is not None:
                    progress(min(_WINDOW_BYTES, size - window * _WINDOW_BYTES))
            said += piece
        os.close(self._pipe)
        os.waitpid(self._process, 0)
        end = bytes(said[windows:])
        if len(end) != _WORDS.size + size % 64:
            return None
        return _WORDS.unpack_from(end), end[_WORDS.size :], size


def begin_hash(words: Sequence[str]) -> None:
    """Begins with the first large file that the words name, if any; where files are uploaded, with none."""
    threads = sys.modules.get("threading")
    if "--upload" in words or (threads and threads.active_count() > 1):  # a process with threads is not forked
        return
    for word in words:
        if not word.startswith("-") and (file := _open_large(word)) is not None:
            _start(file)
            os.close(file)
            return


def finish_hash(status: os.stat_result, progress: Callable[[int], None] | None) -> Unfinished | None:
    """The hash that was begun of this very file. None: there is none, or it came to no end."""
    for one in _begun:
        if one.is_of(status):
            _begun.remove(one)
            return one.finish(progress)
    return None


def _start(file: int) -> None:
    status = os.fstat(file)
    ours, theirs = os.pipe()
    try:
        process = os.fork()
    except OSError:  # there are too many
        os.close(ours)
        os.close(theirs)
        return
    if process == 0:
        try:
            os.close(ours)  # or the pipe would always have a reader: this process
            _hash(file, status.st_size, theirs)
        finally:
            os._exit(0)
    os.close(theirs)
    _begun.append(Begun(status, process, ours))


def _hash(file: int, size: int, pipe: int) -> None:
    """What the other process does. A pipe that nobody reads any more ends it."""
    import ctypes
    import mmap
    import resource

    from hsmpub.formats.sha256_libcrypto import find_libcrypto

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = find_libcrypto()
    if library is None:
        return
    context = library.begin()
    for offset in range(0, size, _WINDOW_BYTES):
        with mmap.mmap(file, min(_WINDOW_BYTES, size - offset), flags=mmap.MAP_PRIVATE, offset=offset) as window:
            first = ctypes.c_char.from_buffer(window)
            library.update(context, ctypes.addressof(first), len(window))
            del first  # or the window does not close
        os.write(pipe, b"\0")
    chain, tail, _ = library.read(context)
    os.write(pipe, _WORDS.pack(*chain) + tail)


def _open_large(word: str) -> int | None:
    """A descriptor. None: it is no plain file, or not worth it, or cannot be read, of which the command tells."""
    try:
        if not _is_large(os.stat(word)):  # what is no plain file is not even opened
            return None
        file = os.open(word, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    if _is_large(os.fstat(file)):
        return file
    os.close(file)
    return None


def _is_large(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_size >= _WORTH_A_PROCESS
