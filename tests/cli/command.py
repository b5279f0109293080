"""Runs `hsmpub` as its users do: in this process where nothing is read from standard input, else in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hsmpub.cli.main import run


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


class Command:
    """env: the settings that every call gets."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], env: dict[str, str]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.env = {"NO_COLOR": "1", "COLUMNS": "200", **env}
        for name in [name for name in os.environ if name.startswith(("HSMPUB_", "ACTIONS_"))]:
            monkeypatch.delenv(name)

    def __call__(self, *arguments: str | Path) -> Said:
        for name, value in self.env.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "argv", ["hsmpub", *map(str, arguments)])
        self._capsys.readouterr()
        status = 0
        try:
            run()
        except SystemExit as e:
            status = e.code if isinstance(e.code, int) else int(e.code is not None)
        told = self._capsys.readouterr()
        return Said(status, told.out, told.err)

    def with_input(self, data: bytes, *arguments: str | Path) -> Said:
        return self._own_process(arguments, input=data)

    def with_typed(self, lines: str, *arguments: str | Path) -> Said:
        """Lines at a terminal, which gives them to the command one by one, then the end of the input."""
        screen, keyboard = os.openpty()
        try:
            os.write(screen, lines.encode() + b"\n\x04")
            return self._own_process(arguments, stdin=keyboard)
        finally:
            os.close(screen)
            os.close(keyboard)

    def _own_process(self, arguments: tuple[str | Path, ...], **stdin: Any) -> Said:
        command = [sys.executable, "-c", "from hsmpub.cli.main import run; run()", *map(str, arguments)]
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, **self.env}
        done = subprocess.run(command, **stdin, capture_output=True, check=False, env=environment)
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
