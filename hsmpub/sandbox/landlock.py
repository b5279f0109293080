"""Files, TCP and signals out of reach, by Landlock (Linux 5.13 and newer), from ctypes.

A path that does not exist when the rules are made stays out of reach when it appears later.
Sources: landlock(7), linux/landlock.h. ABI 1: files; 2: refer; 3: truncate; 4: TCP; 5: device ioctl; 6: scopes.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
#: rights known to each ABI, as the number of lowest bits
_FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
_READ = _READ_FILE | _READ_DIR
#: what makes sense on a file that is not a directory; the kernel refuses the rest there
_ON_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 0b11
_SCOPES = 0b11


def landlock_abi() -> int:
    """The kernel's Landlock ABI, or 0 where there is none."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_VERSION)))


def confine(
    *,
    files: bool,
    read: Iterable[str],
    write: Iterable[str],
    execute: Iterable[str],
    tcp: bool,
    abi: int,
    look: Iterable[str] = (),
) -> None:
    """Confines the calling thread, and what it starts later, for good. Needs no_new_privs.

    Args:
        files: restrict the file system to the three lists; otherwise they are not looked at.
        read, write, execute: directories (with all beneath) or files. `write` includes reading,
            `execute` includes reading.
        tcp: leave TCP alone.
        look: directories in which, and beneath which, names may be listed, and nothing read.
        abi: from `landlock_abi`, at least 1.

    Raises:
        OSError: the kernel refused.
    """
    handled = (1 << _FILE_BITS.get(abi, 16)) - 1 if files else 0
    attributes = struct.pack("=Q", handled)
    if abi >= 4:
        attributes += struct.pack("=Q", 0 if tcp else _TCP)
    if abi >= 6:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        if files:
            lists = ((read, _READ), (write, handled & ~_EXECUTE), (execute, _READ | _EXECUTE), (look, _READ_DIR))
            for paths, rights in lists:
                for path in paths:
                    _allow_beneath(ruleset, path, handled & rights)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_beneath(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return  # out of reach, which is never weaker
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _ON_A_FILE
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)


def _call(number: int, *arguments: object) -> int:
    result = int(_LIBC.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
