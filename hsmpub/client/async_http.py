"""Steps carried out in an event loop: calls by httpx, work on this machine in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from hsmpub.client.address import add_piece, options, unreachable
from hsmpub.client.steps import Call, Local, Pieces, Step, Steps

T = TypeVar("T")


class AsyncHttp:
    """As hsmpub.client.http.Http; for one event loop of asyncio."""

    def __init__(self, url: str, *, ca_file: Path | None = None, timeout: float = 90.0) -> None:
        self._client = httpx.AsyncClient(**options(url, ca_file, timeout))
        self.url = url.rstrip("/")

    async def run(self, steps: Steps[T]) -> T:
        """Carries the steps out. Raises what they raise, and ServiceUnreachable."""
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._carry_out(step)
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            done: T = end.value
            return done
        finally:
            steps.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def _carry_out(self, step: Step) -> Any:
        if isinstance(step, Call):
            return await self._send(step)
        if isinstance(step, Local):
            return await asyncio.to_thread(step.work)
        return await asyncio.sleep(step.seconds)

    async def _send(self, call: Call[T]) -> T:
        held = bytearray()
        content = call.content if call.content is None or isinstance(call.content, bytes) else _read(call.content)
        try:
            async with self._client.stream(
                call.method, call.path, content=content, headers=call.headers, params=call.params
            ) as answer:
                async for piece in answer.aiter_bytes():
                    add_piece(held, piece)
        except httpx.TransportError as e:
            raise unreachable(self.url, e) from None
        return call.read(answer.status_code, bytes(held))


async def _read(pieces: Pieces) -> AsyncIterator[bytes]:
    """The disk is read in a thread: the loop goes on meanwhile."""
    reading = iter(pieces)
    while piece := await asyncio.to_thread(next, reading, b""):
        yield piece
