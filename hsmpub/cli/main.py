"""The program `hsmpub`: what comes before the imports of a command, which take a third of a second."""

from __future__ import annotations

import atexit
import gc
import sys
from importlib import import_module

from hsmpub import __version__
from hsmpub.cli.begun import begin_hash


def run() -> None:
    """The entry point."""
    words = sys.argv[1:]
    if words == ["--version"]:
        print(f"hsmpub {__version__}")
        return
    atexit.register(gc.freeze)  # or the interpreter's end looks once more for garbage among all modules: 0.1 s
    if words[:1] == ["gpg"] and words[1:] != ["--help"]:  # its words are gpg's, not typer's
        sys.exit(import_module("hsmpub.cli.gpg").main(words[1:]))
    if words[:1] == ["sign"]:
        begin_hash(words[1:])
    import_module("hsmpub.cli.app").carry_out(words)
