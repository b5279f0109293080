"""Runs `hsmpub` and `hsmpub-ceremony` as processes of their own, without a fresh interpreter for each.

A command imports for most of a second before it does anything, and the suite runs hundreds. Here each is forked from a
process that has imported and done nothing else; arguments, environment, folder, standard streams and exit status are
its own. What a start imports, and that the installed programs start, is shown elsewhere: tests/cli/test_start.py,
the demo, and wherever a test kills a command or looks at its argument list.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

#: Program → the module whose `run` it is, as pyproject.toml has it.
PROGRAMS = {"hsmpub": "hsmpub.cli.main", "hsmpub-ceremony": "ceremony.cli"}
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.warm"])


def run_forked(
    program: str, arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None,
    stdin: bytes | int = b"", seconds: float = 120,
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    """Runs a command to its end. env: all that it gets, this process's own if None; stdin: content, or a descriptor."""
    words = [program, *map(str, arguments)]
    streams = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    try:
        if isinstance(stdin, bytes):
            os.write(streams[0], stdin)
            os.lseek(streams[0], 0, os.SEEK_SET)
        own = [stdin if isinstance(stdin, int) else streams[0], *streams[1:]]
        process = _FORKS.Process(target=_Command(words, dict(os.environ if env is None else env), cwd, own))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, seconds)
        said = [os.pread(fd, os.fstat(fd).st_size, 0) for fd in streams[1:]]
        return subprocess.CompletedProcess(words, process.exitcode, *said)
    finally:
        for fd in streams:
            os.close(fd)


class _Command:
    """What the new process does. It is pickled as it is started, which takes its descriptors along."""

    def __init__(self, words: list[str], env: dict[str, str], cwd: Path | None, streams: list[int]) -> None:
        self._words, self._env, self._cwd, self._streams = words, env, str(cwd or Path.cwd()), streams

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_streams": [DupFd(fd) for fd in self._streams]}

    def __call__(self) -> None:
        for number, stream in enumerate(self._streams):
            os.dup2(stream.detach(), number)  # type: ignore[attr-defined]
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(number, mode, closefd=False), "utf-8", errors, line_buffering=number == 2)
            for number, mode, errors in (
                (0, "rb", "surrogateescape"),
                (1, "wb", "strict"),
                (2, "wb", "backslashreplace"),
            )
        )
        os.environ.clear()
        os.environ.update(self._env)
        os.chdir(self._cwd)
        sys.argv[:] = self._words
        import_module(PROGRAMS[self._words[0]]).run()
