"""Starting another process of this code, with nothing run that this code did not ask for."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

_PR_SET_DUMPABLE = 4
#: What is imported stays, so nothing is looked for in it: collections are a fifth of a start, and each later one is
#: spared the walk.
_START = (
    "import gc, sys; gc.disable(); sys.path[:0] = {paths!r}; from {module} import main; gc.freeze(); gc.enable(); "
    "raise SystemExit(main())"
)


def python_command(module: str) -> list[str]:
    """The argv that runs `main()` of `module` in a fresh interpreter.

    `-I` ignores PYTHON* variables, the user's site directory and the current directory; `-S` stops `.pth`
    files, which `-I` alone would run. Modules are found where this process finds them.

    Args:
        module: dotted name; `main` takes no arguments and returns the exit status.
    """
    start = _START.format(paths=import_paths(), module=module)
    return [sys.executable, "-I", "-S", "-c", start]


def hidden_python_command(module: str) -> list[str]:
    """As python_command, for a program that inherits a secret: it is hidden from a debugger before it imports."""
    *command, start = python_command(module)
    return [*command, f"import ctypes; ctypes.CDLL(None).prctl({_PR_SET_DUMPABLE}, 0, 0, 0, 0); {start}"]


def import_paths() -> list[str]:
    """Absolute directories that this process imports from, this package's own first, without the standard library."""
    own = str(Path(__file__).resolve().parents[2])
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    standard |= {os.path.join(path, "lib-dynload") for path in standard}
    others = [path for path in sys.path if os.path.isabs(path) and os.path.isdir(path) and path not in standard]
    return list(dict.fromkeys([own, *others]))
