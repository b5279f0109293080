"""A process is started with this code and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hsmpub.sandbox import python_command

MODULE = """
import sys
def main():
    print(sys.flags.isolated, sys.flags.no_site, "planted" in sys.modules, "" in sys.path, sys.argv[1:])
    return 7
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the import path with a module to run, and a `.pth` file that would run something else."""
    (tmp_path / "runnable.py").write_text(MODULE)
    (tmp_path / "planted.py").write_text("")
    (tmp_path / "evil.pth").write_text("import planted\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_runs_main_isolated_and_runs_no_pth_file(library: Path) -> None:
    done = subprocess.run(python_command("runnable"), capture_output=True, text=True, timeout=60, cwd=library)
    assert done.stdout.strip() == "1 1 False False []"
    assert done.returncode == 7


def test_ignores_python_variables_of_the_environment(library: Path) -> None:
    (library / "runnable.py").write_text("def main(): import sys; print('/planted/path' in sys.path)")
    environment = {"PYTHONPATH": "/planted/path", "PYTHONSTARTUP": "/planted/start"}
    done = subprocess.run(python_command("runnable"), capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.strip() == "False"


def test_takes_no_relative_directory_along(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "relative", *sys.path])
    command = python_command("runnable")
    assert "'relative'" not in command[-1]
    assert "''" not in command[-1]


def test_a_child_can_start_children_of_its_own(library: Path) -> None:
    (library / "runnable.py").write_text(
        "import subprocess, sys\n"
        "from hsmpub.sandbox.python import python_command\n"
        "def main():\n"
        "    return subprocess.run(python_command('leaf')).returncode\n"
    )
    (library / "leaf.py").write_text("def main():\n    import msgspec\n    return 9\n")
    assert subprocess.run(python_command("runnable"), timeout=60, check=False).returncode == 9
