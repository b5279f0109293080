"""Refusing an upload so that its sender hears why: what is still on its way is taken first, for a moment.

A server that answers and closes while bytes arrive makes the sender's kernel drop the answer (a reset instead of a
sentence). Source: RFC 9112, 9.6.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import Message, Receive

#: What is taken after a refusal at the most; a sender of more than that learns it from the announced cap, or a reset.
LINGER_BYTES, LINGER_SECONDS = 4 << 20, 1.0


class LingeringBody:
    """A body that knows whether it has come to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def __call__(self) -> Message:
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Takes and drops what still comes, within the limits."""
        left = LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self._more and left > 0:
                    left -= len((await self()).get("body", b""))
