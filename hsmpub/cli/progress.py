"""A progress bar on standard error, where there is a terminal; silence where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from hsmpub.cli.visible import visible

Started = Callable[[str, int], Callable[[int], None]]


@contextmanager
def bars() -> Iterator[Started]:
    """Yields what starts a bar: of a name and a total in bytes, it makes what is told each step."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def start(name: str, total: int) -> Callable[[int], None]:
            task = progress.add_task(visible(name), total=total)
            return lambda count: progress.advance(task, count)

        yield start
