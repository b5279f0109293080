"""An extractor whose parser of Java archives can be broken out of: a file's own words say what is done there.

Started in the real one's place; stands for a hole in a parser that nobody knows yet.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time

from hsmpub.artifact import extractor
from hsmpub.formats.source import Source
from hsmpub.formats.zip.jar import Jar

_honest = Jar.extract


def _extract(self: Jar, source: Source) -> bytes:
    words = source.read(0, min(source.size, 5))
    if words == b"spoil":
        return _spoil()
    if words == b"stays":
        while True:
            time.sleep(60)
    if words == b"says!":
        os.write(2, b'{"level": "info", "event": "the keeper never said so"}\n')
        os._exit(0)
    if words == b"ends!":
        os._exit(0)
    if words == b"more!":
        os.write(_answer_pipe(), (extractor.MEMORY_BYTES - 1).to_bytes(4, "big"))
    return _honest(self, source)


def _spoil() -> bytes:
    """Everything that could reach the next file's process. Returns: what was possible of it."""
    Jar.extract = lambda *_: b"not what the file says"  # type: ignore[method-assign]
    tries = {
        "unbind": lambda: ctypes.CDLL(None, use_errno=True).prctl(1, 0, 0, 0, 0) and _raise(),
        "fork": lambda: os.fork() or os._exit(0),
        "stop": lambda: os.kill(os.getppid(), signal.SIGSTOP),
        "orders": lambda: os.read(0, 1),
        "answers": lambda: os.write(1, b"\0\0\0\1x"),
        "lasting": _leave_memory,
        "unbounded": lambda: os.close(os.memfd_create("x")),
        "memory": lambda: os.close(os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR)),
    }
    return b" ".join(name.encode() for name, attempt in tries.items() if _did(attempt))


def _did(attempt: object) -> bool:
    try:
        attempt()  # type: ignore[operator]
    except OSError:
        return False
    return True


def _leave_memory() -> None:
    """Shared memory stays when the process is gone, and no limit of address space counts it until it is attached."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.shmget(0, ctypes.c_size_t(4096), 0o600)
    if number < 0:
        _raise()
    libc.shmctl(number, 0, None)  # it was possible; taken away again


def _raise() -> None:
    raise OSError(ctypes.get_errno(), "refused")


def _answer_pipe() -> int:
    """The highest descriptor that is written to."""
    pipes = []
    for fd in range(64):
        try:
            os.write(fd, b"")
        except OSError:
            continue
        pipes.append(fd)
    return max(pipes)


def main() -> int:
    Jar.extract = _extract  # type: ignore[method-assign]
    return extractor.main()
