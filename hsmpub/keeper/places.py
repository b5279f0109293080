"""So many at a time, so many more that wait, and no more than that."""

from __future__ import annotations

import asyncio
from types import TracebackType

from hsmpub.errors import Throttled

#: Each that waits is a request with an answer outstanding.
MAX_WAITING = 64


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
