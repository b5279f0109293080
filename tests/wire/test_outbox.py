"""Writes of one turn leave with one call, in their order, and none is kept back for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from hsmpub.wire.outbox import MOST_BYTES, Outbox


class Recorder(asyncio.Transport):
    """A transport that remembers the calls it got."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []
        self.closing = False

    def writelines(self, parts: object) -> None:
        self.calls.append(b"".join(cast(list[bytes], parts)))

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


def run(body: Callable[[Recorder, Outbox], Awaitable[None]]) -> None:
    async def main() -> None:
        recorder = Recorder()
        await body(recorder, Outbox(recorder))

    asyncio.run(main())


def test_writes_of_one_turn_leave_together_and_in_order() -> None:
    async def body(recorder: Recorder, outbox: Outbox) -> None:
        for part in (b"a", b"b", b"c"):
            outbox.write(part)
        assert recorder.calls == []
        await asyncio.sleep(0)
        assert recorder.calls == [b"abc"]
        outbox.write(b"d")
        await asyncio.sleep(0)
        assert recorder.calls == [b"abc", b"d"]

    run(body)


def test_who_writes_much_without_a_turn_is_not_kept_back() -> None:
    async def body(recorder: Recorder, outbox: Outbox) -> None:
        half = bytes(MOST_BYTES // 2)
        for _ in range(6):
            outbox.write(half)
        assert len(recorder.calls) == 3
        await asyncio.sleep(0)
        assert len(recorder.calls) == 3

    run(body)


def test_closing_comes_after_what_was_written() -> None:
    async def body(recorder: Recorder, outbox: Outbox) -> None:
        outbox.write(b"last words")
        outbox.close()
        assert (recorder.calls, recorder.closing) == ([b"last words"], True)
        await asyncio.sleep(0)
        assert recorder.calls == [b"last words"]

    run(body)


def test_nothing_is_handed_to_a_connection_that_is_gone() -> None:
    async def body(recorder: Recorder, outbox: Outbox) -> None:
        outbox.write(b"x")
        recorder.closing = True
        await asyncio.sleep(0)
        assert recorder.calls == []

    run(body)
