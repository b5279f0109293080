"""A copy of the artifact that nobody else can change while it is checked, described and sent.

The front owns the artifact store. Read there in several steps, a file could be one thing when its metadata is taken
for the upload form, and another when its bytes are hashed: the approved file would be published under a form that
nobody approved. A link in its place could lead to a file that only the courier may read.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hsmpub.targets.target import ArtifactChanged

_CHUNK = 1 << 20


@contextlib.contextmanager
def own_copy(path: Path, size: int, copy: Path) -> Iterator[Path]:
    """Copies `path` to `copy`, which is removed in the end. Its digest is for the target to check.

    Args:
        size: how many bytes it must have. copy: in a folder of the courier's own; what is there is replaced.

    Raises:
        ArtifactChanged: it is no plain file, or has another size.
    """
    try:
        _copy(path, size, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _copy(path: Path, size: int, copy: Path) -> None:
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise ArtifactChanged("The stored artifact cannot be read.") from None
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            raise ArtifactChanged("The stored artifact is not what was approved.")
        copy.unlink(missing_ok=True)
        with copy.open("xb", buffering=0) as file:
            left = size
            while left and (piece := os.read(source, min(left, _CHUNK))):
                file.write(piece)
                left -= len(piece)
    finally:
        os.close(source)
    if left:
        raise ArtifactChanged("The stored artifact is not what was approved.")
