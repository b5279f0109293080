"""So many at a time, so many more that wait, and no more than that."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from types import TracebackType

from hsmpub.errors import Throttled

#: Each that waits is a request with an answer outstanding.
MAX_WAITING = 64
#: Of them, so many are for one identity: nobody fills the queue alone.
MAX_OF_ONE = 16


class ManyFilesWait(Throttled):
    pass


class Places:
    """Use it as `async with`. Raises ManyFilesWait: more wait already than may.

    work: what is done there, for the message.
    """

    def __init__(self, count: int, work: str) -> None:
        self._free = asyncio.Semaphore(count)
        self._work = work
        self.taken = 0
        self._most = count + MAX_WAITING

    async def __aenter__(self) -> None:
        if self.taken >= self._most:
            raise ManyFilesWait(f"{MAX_WAITING} requests wait for their files to be {self._work}.")
        self.taken += 1
        try:
            await self._free.acquire()
        except BaseException:
            self.taken -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.taken -= 1
        self._free.release()


class Portions:
    """How much of a queue everybody has. most: for each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, who: Hashable) -> Iterator[None]:
        """Raises ManyFilesWait."""
        if self._taken[who] >= self._most:
            raise ManyFilesWait(f"{self._most} requests of this identity wait for their files to be read.")
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            self._taken += Counter()  # drops who has none
