"""Frames as a process reads them one after the other: each once, none that is cut off."""

from __future__ import annotations

import socket
import threading

import msgspec
import pytest

from hsmpub.frames import ChannelBroken, pack_frame, read_frame, read_frames
from hsmpub.hsm.messages import Group, Work

WORK = msgspec.msgpack.Decoder(Work)


def work(items: int) -> Work:
    return Work([Group("release", "sha256", [b"\x5a" * 32] * items)])


def received(sent: bytes, **cap: int) -> list[Work]:
    ours, theirs = socket.socketpair()
    with ours:
        sender = threading.Thread(target=lambda: (theirs.sendall(sent), theirs.close()))
        sender.start()
        try:
            return list(read_frames(ours, WORK, **cap))
        finally:
            ours.close()
            sender.join()


def test_all_are_read_in_order_whatever_their_size() -> None:
    orders = [work(0), work(5000), work(1), work(2)]
    assert received(b"".join(map(pack_frame, orders))) == orders
    assert received(b"") == []


@pytest.mark.parametrize("left", [1, 3, 4, 5, 40])
def test_one_that_is_cut_off_is_none(left: int) -> None:
    with pytest.raises(ChannelBroken):
        received(pack_frame(work(1)) + pack_frame(work(2))[:left])


def test_what_is_over_the_cap_or_no_message_is_refused() -> None:
    frame = pack_frame(work(1))
    assert received(frame, max_bytes=len(frame) - 4) == [work(1)]
    with pytest.raises(ChannelBroken):
        received(frame, max_bytes=len(frame) - 5)
    for nonsense in (b"\0\0\0\0", b"\0\0\0\1\xc0"):
        with pytest.raises(ChannelBroken):
            received(nonsense)


def test_a_channel_with_a_timeout_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(0.01)
        sender = threading.Timer(0.1, lambda: (theirs.sendall(pack_frame(work(1))), theirs.close()))
        sender.start()
        assert list(read_frames(ours, WORK)) == [work(1)]
        sender.join()


def test_one_alone_is_read_and_nothing_beyond_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(pack_frame(work(3)) + b"a secret")
        assert read_frame(ours, WORK) == work(3)
        assert ours.recv(100) == b"a secret"
