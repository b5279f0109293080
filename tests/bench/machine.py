"""What the numbers were measured on: they compare with nothing that ran on another Python, or another machine."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

from rich.console import Console

_STEPS = 300_000


def say_machine(console: Console) -> None:
    """One line: Python, how fast it is by itself, and processors."""
    console.print(
        f"Python {platform.python_version()} ({Path(sys.executable).resolve()}), "
        f"{_interpreter():.0f} ns for a call in a loop; {os.cpu_count()} processors"
    )


def _interpreter() -> float:
    """Nanoseconds; the best of seven rounds."""
    return min(_round() for _ in range(7)) / _STEPS * 1e9


def _round() -> float:
    def call(number: int, *rest: int) -> int:
        return number + len(rest)

    begun, total = time.perf_counter(), 0
    for number in range(_STEPS):
        total = call(total, number)
    return time.perf_counter() - begun
