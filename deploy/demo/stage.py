"""The demo's stage: a folder, live progress, and commands run as their users would run them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

#: Variables of a command beside those of the stage.
Env = Mapping[str, str] | None
PROJECT = Path(__file__).resolve().parents[2]


class DemoFailed(Exception):
    """A command did not do what the demo needs; its words are in the message."""


class Stage:
    """Runs commands in `root` and tells what happens, one line a step. fresh: what was there is removed."""

    def __init__(self, root: Path, console: Console, *, fresh: bool = True) -> None:
        self.root = root
        self.console = console
        self.bin = Path(sys.executable).parent
        self.environment = {
            **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM")},
            "PATH": f"{self.bin}{os.pathsep}{os.environ.get('PATH', '')}",
            "GNUPGHOME": str(root / "gnupg"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(root / "gitconfig"),
            "NO_COLOR": "1",
            "COLUMNS": "110",
        }
        if fresh and root.exists():
            shutil.rmtree(root)
        root.mkdir(parents=True, exist_ok=True)
        (root / "gnupg").mkdir(mode=0o700, exist_ok=True)
        (root / "gitconfig").touch()
        self._log = (root / "commands.log").open("w" if fresh else "a", buffering=1)

    @contextmanager
    def act(self, title: str) -> Iterator[None]:
        """A part of the story, with its time."""
        began = time.monotonic()
        self.console.print(f"[bold]{title}[/bold]")
        yield
        self.console.print(f"  [dim]{time.monotonic() - began:.1f} s[/dim]")

    def say(self, text: str) -> None:
        self.console.print(f"  [green]✓[/green] {text}", highlight=False, soft_wrap=True)

    def refused(self, text: str) -> None:
        self.console.print(f"  [yellow]✗[/yellow] {text}", highlight=False, soft_wrap=True)

    def run(self, *command: str | Path, cwd: Path | None = None, stdin: bytes | None = None, env: Env = None) -> str:
        """Runs a command to its end and gives what it printed.

        Raises:
            DemoFailed: it ended with another status than 0.
        """
        result = self._run(command, cwd, stdin, env)
        if result.returncode != 0:
            text = result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")
            raise DemoFailed(f"{shlex.join(map(str, command))}\n{text}")
        return result.stdout.decode(errors="replace")

    def run_refused(self, *command: str | Path, stdin: bytes | None = None, env: Env = None) -> str:
        """Runs a command that has to be refused, and gives the sentence with which it was."""
        result = self._run(command, None, stdin, env)
        if result.returncode == 0:
            raise DemoFailed(f"{shlex.join(map(str, command))}\nwas not refused")
        return " ".join((result.stderr + result.stdout).decode(errors="replace").split())

    def _run(
        self, command: Sequence[str | Path], cwd: Path | None, stdin: bytes | None, env: Env
    ) -> subprocess.CompletedProcess[bytes]:
        self._log.write(f"$ {shlex.join(map(str, command))}\n")
        result = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.root,
            input=stdin if stdin is not None else b"",
            capture_output=True,
            env={**self.environment, **(env or {})},
            timeout=120,
            check=False,
        )
        self._log.write(result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace") + "\n")
        return result

    def close(self) -> None:
        """Ends the agent that gpg left behind, too."""
        if shutil.which("gpgconf"):
            self._run(["gpgconf", "--kill", "all"], None, None, {})
        self._log.close()
