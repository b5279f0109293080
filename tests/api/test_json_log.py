"""Lines of the front's log: whole, in their order, and never more at once than a pipe takes."""

from __future__ import annotations

import asyncio
import json
import os
from itertools import pairwise
from select import PIPE_BUF

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.logs import JsonLog


def emitted(log: JsonLog) -> list[bytes]:
    """What each system call takes; grows."""
    calls: list[bytes] = []
    log._emit = calls.append  # type: ignore[method-assign]
    return calls


@given(st.lists(st.one_of(st.integers(0, 60), st.integers(PIPE_BUF - 20, PIPE_BUF + 20)), max_size=80))
def test_lines_of_one_turn_are_written_together_and_none_is_cut(sizes: list[int]) -> None:
    log = JsonLog()
    calls = emitted(log)
    lines = [{"n": number, "text": "x" * size} for number, size in enumerate(sizes)]

    async def turn() -> None:
        for line in lines:
            log.write(line)
        assert calls == []
        await asyncio.sleep(0)

    asyncio.run(turn())
    assert [json.loads(line) for call in calls for line in call.splitlines()] == lines
    for call in calls:
        assert call.endswith(b"\n")
        assert len(call) <= PIPE_BUF or call.count(b"\n") == 1
    for one, next_one in pairwise(calls):  # nothing that would have fitted waits for another call
        assert len(one) + len(next_one.splitlines(keepends=True)[0]) > PIPE_BUF


def test_without_a_loop_a_line_is_written_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "front.log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    log = JsonLog(fd)
    log.write({"event": "front"})
    log.write({"event": "end"})
    os.close(fd)
    assert path.read_text() == '{"event":"front"}\n{"event":"end"}\n'


def test_what_cannot_be_written_out_takes_no_other_line_with_it() -> None:
    log = JsonLog()
    calls = emitted(log)

    async def turn() -> None:
        for event in ("front", "\ud800", object(), "end"):
            log.write({"event": event})
        await asyncio.sleep(0)

    asyncio.run(turn())
    assert calls == [b'{"event":"front"}\n', b'{"event":"end"}\n']
    calls.clear()
    with pytest.raises(TypeError):
        log.write({"event": object()})
    log.write({"event": "front"})
    assert calls == [b'{"event":"front"}\n']
