"""Runs `hsmpub` as its users do: in this process where nothing is read from standard input, else in its own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from hsmpub.cli.main import run
from tests.forked import run_forked


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
        return self._own_process(arguments, data)

    def with_typed(self, lines: str, *arguments: str | Path) -> Said:
        """Lines at a terminal, which gives them to the command one by one, then the end of the input."""
        screen, keyboard = os.openpty()
        try:
            os.write(screen, lines.encode() + b"\n\x04")
            return self._own_process(arguments, keyboard)
        finally:
            os.close(screen)
            os.close(keyboard)

    def _own_process(self, arguments: tuple[str | Path, ...], stdin: bytes | int) -> Said:
        done = run_forked("hsmpub", arguments, env={"PATH": os.environ["PATH"], **self.env}, stdin=stdin)
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
