"""SoftHSM behind a module that fails on demand (faults.c)."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Token

SOURCE = Path(__file__).parent / "faults.c"

SESSION_GONE, DEVICE_GONE, DEVICE_ERROR, NO_MEMORY, STALE_HANDLE, GENERAL = 0xB3, 0x32, 0x30, 0x2, 0x60, 0x5


def compile_module(folder: Path, softhsm: str) -> str:
    """Path of the failing module; skips where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: 'apt install gcc libc6-dev'")
    made = folder / "faults.so"
    define = f'-DSOFTHSM="{softhsm}"'
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-O1", define, "-o", str(made), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return str(made)


class Faults:
    """Switches faults of a token's module, also while signers run."""

    def __init__(self, tokens: Path) -> None:
        self._tokens = tokens

    def are(self, **faults: int) -> None:
        """These faults from now on, and no others."""
        new = self._tokens / "faults.new"
        new.write_text("".join(f"{name} {value}\n" for name, value in faults.items()))
        os.replace(new, self._tokens / "faults")

    @property
    def logins(self) -> int:
        """How often C_Login was called so far, by whichever process."""
        path = self._tokens / "logins"
        return path.stat().st_size if path.exists() else 0


def with_module(token: Token, module: str) -> Token:
    return replace(token, hsm=replace(token.hsm, module=module))
