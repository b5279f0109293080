"""The keeper's end of a channel, under a peer that means harm: its memory stays bounded, and others are answered."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hsmpub.courier import line
from hsmpub.errors import Refused
from hsmpub.wire import messages as m
from hsmpub.wire import server as wire_server
from hsmpub.wire.client import FrontChannel, KeeperUnreachable
from hsmpub.wire.frame import MAX_FRAME_BYTES, frame
from hsmpub.wire.server import ChannelServer

CALL = frame(msgspec.msgpack.encode(m.FrontCall(1, m.ListRequests())))


@asynccontextmanager
async def serving(path: Path, handle: Callable[[Any], Awaitable[Any]]) -> AsyncIterator[ChannelServer]:
    server = ChannelServer(path / "s", m.FrontCall, m.FrontAnswer, handle, uids={os.getuid()})
    await server.start()
    try:
        yield server
    finally:
        await server.close()


def test_a_peer_that_asks_without_end_is_read_from_no_longer(tmp_path: Path) -> None:
    async def scenario() -> None:
        calls = 0
        hold = asyncio.Event()

        async def handle(_: object) -> m.Done:
            nonlocal calls
            calls += 1
            await hold.wait()
            return m.Done()

        async with serving(tmp_path, handle):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            writer.write(CALL * 50_000)
            await asyncio.sleep(0.5)
            begun = calls
            assert begun < 50_000 / 2  # what one read brought, and nothing after it
            hold.set()
            answered = 0
            while answered < 50_000:
                size = int.from_bytes(await reader.readexactly(4), "big")
                await reader.readexactly(size)
                answered += 1  # and none is lost
            writer.close()

    asyncio.run(scenario())


def test_a_peer_that_fetches_no_answers_gets_no_more_of_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        made = 0

        async def handle(_: object) -> m.Done:
            nonlocal made
            made += 1
            return m.Done("x" * 1_000_000)

        async with serving(tmp_path, handle) as server:
            _, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            for _ in range(20):
                writer.write(CALL * 100)
                await asyncio.sleep(0.02)
            assert made < 20
            other = FrontChannel(server.path)
            assert await other.call(m.GetStatus(), timeout=5) == m.Done("x" * 1_000_000)
            other.close()
            writer.close()

    asyncio.run(scenario())


def test_only_so_many_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_server, "MAX_CONNECTIONS", 2)

    async def scenario() -> None:
        async def handle(_: object) -> m.Done:
            return m.Done()

        async with serving(tmp_path, handle) as server:
            channels = [FrontChannel(server.path) for _ in range(3)]
            for channel in channels[:2]:
                await channel.call(m.GetStatus(), timeout=5)
            with pytest.raises(KeeperUnreachable):
                await channels[2].call(m.GetStatus(), timeout=5)
            channels[0].close()
            await asyncio.sleep(0.05)
            await channels[2].call(m.GetStatus(), timeout=5)
            for channel in channels:
                channel.close()

    asyncio.run(scenario())


def test_an_answer_over_the_cap_is_a_refusal_and_not_silence(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def handle(_: object) -> m.Done:
            return m.Done("x" * MAX_FRAME_BYTES)

        async with serving(tmp_path, handle) as server:
            channel = FrontChannel(server.path)
            with pytest.raises(Refused, check=lambda error: error.rule == "answer-too-large"):
                await channel.call(m.ListRequests(), timeout=5)
            channel.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [b"", b"x", b"x" * 32])
def test_calls_after_a_wrong_token_are_not_answered(before: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        async def handle(_: object) -> m.Done:
            raise AssertionError("it was answered")

        server = ChannelServer(
            tmp_path / "s", m.CourierCall, m.CourierAnswer, handle, uids={os.getuid()}, token=b"t" * 32
        )
        await server.start()
        with pytest.raises(line.KeeperUnreachable):
            await asyncio.to_thread(line.ask, str(server.path), before, m.GetJobs(), timeout=5)
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        call = msgspec.msgpack.encode(m.CourierCall(1, m.GetJobs()))
        writer.write(frame(before) + frame(b"t" * 32) + frame(call))  # all in one read
        assert await reader.read() == b""
        writer.close()
        await server.close()

    asyncio.run(scenario())


def test_a_peer_that_has_hung_up_is_answered_no_more_while_something_waits_for_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        hold, errors, handled = asyncio.Event(), list[object](), 0
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))

        async def handle(message: object) -> m.Done:
            nonlocal handled
            if isinstance(message, m.GetStatus):
                await hold.wait()
            handled += 1
            return m.Done("x" * 30_000)

        async with serving(tmp_path, handle) as server:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(server.path))
                peer.sendall(frame(msgspec.msgpack.encode(m.FrontCall(1, m.GetStatus()))))
                await asyncio.sleep(0.05)
                [connection] = server.connections
                while not connection.transport.get_write_buffer_size():
                    peer.sendall(CALL)
                    await asyncio.sleep(0.01)
                assert connection.is_drained
                peer.shutdown(socket.SHUT_WR)
                await asyncio.sleep(0.05)
                assert server.connections == {connection}  # the rest is still to be sent
                assert not connection.is_open
                before = handled
                hold.set()
                await asyncio.sleep(0.05)
                assert handled == before + 1
        gc.collect()
        assert errors == []

    asyncio.run(scenario())


def test_an_answer_for_a_peer_that_was_lost_in_the_same_turn_is_dropped(tmp_path: Path) -> None:
    async def scenario() -> None:
        errors = list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))

        async def handle(_: object) -> m.Done:
            for connection in server.connections:
                connection.transport.abort()
            return m.Done()

        async with serving(tmp_path, handle) as server:
            reader, writer = await asyncio.open_unix_connection(str(server.path))
            writer.write(CALL)
            assert await reader.read() == b""
            writer.close()
        gc.collect()
        assert errors == []

    asyncio.run(scenario())


def test_a_keeper_that_has_hung_up_is_connected_to_anew_while_something_waits_for_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        accepted: list[asyncio.StreamWriter] = []

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.append(writer)

        server = await asyncio.start_unix_server(accept, str(tmp_path / "s"), limit=1)
        channel = FrontChannel(tmp_path / "s")
        first = asyncio.ensure_future(channel.call(m.GetStatus()))
        await asyncio.sleep(0.05)
        assert channel._wire is not None
        channel._wire.transport.set_write_buffer_limits(MAX_FRAME_BYTES)
        channel._wire.send(b"x" * (MAX_FRAME_BYTES // 2))
        await asyncio.sleep(0.05)
        assert channel._wire.transport.get_write_buffer_size()
        accepted[0].write_eof()
        await asyncio.sleep(0.05)
        assert not channel.is_ready
        second = asyncio.ensure_future(channel.call(m.GetStatus()))
        with pytest.raises(KeeperUnreachable):
            await asyncio.wait_for(first, 5)
        await asyncio.sleep(0.05)
        assert len(accepted) == 2
        second.cancel()
        for writer in accepted:
            writer.transport.abort()
        channel.close()
        server.close()

    asyncio.run(scenario())


def test_a_call_that_nobody_answers_is_given_up_and_its_late_answer_dropped(tmp_path: Path) -> None:
    async def scenario() -> None:
        hold = asyncio.Event()

        async def handle(message: object) -> m.Done:
            if isinstance(message, m.ListRequests):
                await hold.wait()
            return m.Done()

        async with serving(tmp_path, handle) as server:
            channel = FrontChannel(server.path)
            assert not channel.is_ready
            with pytest.raises(KeeperUnreachable):
                channel.post(m.GetStatus(), print)
            assert await channel.call(m.GetStatus()) == m.Done()
            assert channel.is_ready
            told: asyncio.Queue[object] = asyncio.Queue()
            channel.post(m.ListRequests(), told.put_nowait, timeout=0)
            assert isinstance(await told.get(), KeeperUnreachable)
            hold.set()
            channel.post(m.GetStatus(), told.put_nowait)
            assert await told.get() == m.Done()
            assert told.empty()
            channel.close()

    asyncio.run(scenario())
