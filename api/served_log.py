"""The log as the front reads it: opened when first asked for, in a thread, so that a slow disk stalls nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from hsmpub.errors import Unavailable
from hsmpub.receipt import ReceiptBuilder
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.rules import LogAbsent

T = TypeVar("T")


class LogNotThere(Unavailable):
    advice = "See on the host whether the genesis ceremony was held and the log's folder is in its place."


class ServedLog:
    """db: the log's database. Read-only: the keeper alone writes it. key_entries: as the keeper last named them."""

    def __init__(self, db: Path) -> None:
        self._db = db
        self.key_entries: tuple[int, ...] = ()
        self._open: tuple[LogReader, ReceiptBuilder] | None = None

    @property
    def reader(self) -> LogReader:
        """Raises LogNotThere, LogDamaged, LogUnavailable."""
        return self._opened()[0]

    async def ask(self, question: Callable[[LogReader], T]) -> T:
        """What the reader answers, asked in a thread. Raises what `reader` and the question raise."""
        return await asyncio.to_thread(lambda: question(self.reader))

    async def receipt(self, entries: Iterable[int], key_entries: Iterable[int] = ()) -> bytes:
        """The receipt of the request that these entries speak of. Raises what ReceiptBuilder.build raises."""
        return await asyncio.to_thread(lambda: self._opened()[1].build(entries, key_entries))

    def _opened(self) -> tuple[LogReader, ReceiptBuilder]:
        if self._open is None:
            try:
                reader = LogReader.open(self._db)
            except LogAbsent:
                raise LogNotThere("This service has no log yet.") from None
            self._open = reader, ReceiptBuilder(reader)
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open[0].close()
            self._open = None
