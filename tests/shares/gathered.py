"""An attempt with its real child, and hands for it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from shares_of import box_of

from hsmpub.errors import HsmpubError
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.record import UnsealRecord

HandIn = Callable[[str, bytes | bytearray], Awaitable[tuple[str, ...]]]


@asynccontextmanager
async def attempt_at(record: UnsealRecord, lifetime: int = 60) -> AsyncIterator[tuple[UnsealAttempt, HandIn]]:
    attempt = await UnsealAttempt.start(record, now=1_000, lifetime=lifetime)

    async def hand_in(holder: str, words: bytes | bytearray) -> tuple[str, ...]:
        return await attempt.hand_in(holder, box_of(words, attempt.attempt, attempt.key, holder))

    try:
        yield attempt, hand_in
    finally:
        await attempt.close()


async def refused(rule: type[HsmpubError], handing_in: Awaitable[object]) -> str:
    with pytest.raises(rule) as refusal:
        await handing_in
    return str(refusal.value)
