"""Which code a process of this service would run if it were started now: one digest over its own package.

It covers the package `hsmpub` as it lies on the disk, so it is the same in a checkout, in a wheel and where it is
installed. It does not cover libraries and the interpreter; whoever may write those, or the package after it was
hashed, is trusted with them, as at every start.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

PACKAGE = "hsmpub"


def code_digest(folder: Path | None = None) -> str:
    """SHA-256 (hex) over a line `<sha256>  <path>` for each module, sorted by path, as `sha256sum` writes them.

    folder: that holds the package; by default the one from which this process imports.

    Raises:
        OSError: a module cannot be read, or there is none.
    """
    root = (folder or Path(__file__).resolve().parents[2]) / PACKAGE
    modules = sorted(path.relative_to(root.parent).as_posix() for path in root.rglob("*.py"))
    if not modules:
        raise FileNotFoundError(2, "no package hsmpub there", str(root))
    lines = (f"{hashlib.sha256((root.parent / name).read_bytes()).hexdigest()}  {name}\n" for name in modules)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
