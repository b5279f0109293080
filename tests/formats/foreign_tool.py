"""Runs the verifiers of others."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(*argv: object, stdin: bytes = b"", cwd: Path | None = None, env: dict[str, str] | None = None):
    """Output and exit code; nothing is raised for a refusal."""
    home = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(env or {})}
    return subprocess.run(
        [str(part) for part in argv], input=stdin, capture_output=True, cwd=cwd, env=home, timeout=60, check=False
    )


def accepts(*argv: object, **how) -> bool:
    return run(*argv, **how).returncode == 0
