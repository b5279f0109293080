"""The log as the front reads it: opened when first asked for, in a thread, so that a slow disk stalls nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hsmpub.errors import Unavailable
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.rules import LogAbsent

T = TypeVar("T")


class LogNotThere(Unavailable):
    advice = "See on the host whether the genesis ceremony was held and the log's folder is in its place."


class ServedLog:
    """db: the log's database. Read-only: the keeper alone writes it."""

    def __init__(self, db: Path) -> None:
        self._db = db
        self._reader: LogReader | None = None

    @property
    def reader(self) -> LogReader:
        """Raises LogNotThere, LogDamaged, LogUnavailable."""
        if self._reader is None:
            try:
                self._reader = LogReader.open(self._db)
            except LogAbsent:
                raise LogNotThere("This service has no log yet.") from None
        return self._reader

    async def ask(self, question: Callable[[LogReader], T]) -> T:
        """What the reader answers, asked in a thread. Raises what `reader` and the question raise."""
        return await asyncio.to_thread(lambda: question(self.reader))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
