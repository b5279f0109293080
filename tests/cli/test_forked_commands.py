"""What tests.forked runs says and does what the installed program says and does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import PROGRAMS, run_forked

#: Each with another exit status, and something on each stream.
COMMANDS = (
    ("hsmpub", "status", "--url", "http://127.0.0.1:1"),
    ("hsmpub", "credential", "seal", "no such name", "--person", "nobody"),
    ("hsmpub-ceremony", "share", "check", "-", "--holder", "holder-1"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_forked_command_ends_as_a_started_one(command: tuple[str, ...], tmp_path: Path) -> None:
    program, *words = command
    env = {
        "PATH": os.environ["PATH"],
        "COLUMNS": "70",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    start = f"import sys; sys.argv[0] = {program!r}; from {PROGRAMS[program]} import run; run()"
    started = subprocess.run(
        [sys.executable, "-c", start, *words], env=env, cwd=tmp_path, input=b"typed\n", capture_output=True
    )
    forked = run_forked(program, words, env=env, cwd=tmp_path, stdin=b"typed\n")
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
    assert forked.returncode


def test_a_forked_command_leaves_this_process_as_it_was(tmp_path: Path) -> None:
    before = (dict(os.environ), Path.cwd(), sys.argv[:], sys.stdout)
    run_forked("hsmpub", ["--version"], env={"ONLY": "this"}, cwd=tmp_path)
    assert (dict(os.environ), Path.cwd(), sys.argv[:], sys.stdout) == before
    assert run_forked("hsmpub", ["--version"], env={}).stdout.startswith(b"hsmpub ")
