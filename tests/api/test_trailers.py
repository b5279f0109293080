"""What may come beside a chunked body: nobody reads it, so nobody can fill the front's memory with it, nor add headers
to a request that is being answered."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from running import Running

HEAD = b"POST /v1/transit/verify/key HTTP/1.1\r\nHost: front\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MUCH = 8 << 20


@pytest.fixture
def line(front: Running) -> Iterator[socket.socket]:
    to = urlsplit(front.url)
    with socket.create_connection((to.hostname, to.port), timeout=20) as made:
        yield made


def taken(line: socket.socket, piece: bytes) -> int:
    """How much of a flood is taken before the front hangs up."""
    sent = 0
    try:
        while sent < MUCH:
            line.sendall(piece)
            sent += len(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        (b"2\r\n{}\r\n0\r\n", b"X-Trailer: " + b"a" * 4000 + b"\r\n"),
        (b"2\r\n{}\r\n0\r\nX-Trailer: ", b"a" * 4000),
        (b"2;", b"a" * 4000),
    ],
    ids=["trailers", "one-trailer", "extension-of-a-chunk"],
)
def test_a_flood_beside_the_body_is_hung_up_on(line: socket.socket, before: bytes, piece: bytes) -> None:
    line.sendall(CHUNKED + before)
    assert taken(line, piece) < MUCH


def test_a_few_trailers_are_passed_over(line: socket.socket) -> None:
    line.sendall(CHUNKED + b"2\r\n[]\r\n0\r\nX-Trailer: a\r\n\r\n")
    answer = line.recv(1 << 16)
    assert b"Expected" in answer, answer
    line.sendall(b"GET /healthz HTTP/1.1\r\nHost: front\r\n\r\n")
    assert line.recv(1 << 16).startswith(b"HTTP/1.1 ")


def test_a_body_of_many_chunks_is_whole(line: socket.socket) -> None:
    body = b"[" + b" " * 300_000 + b"]"
    line.sendall(CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in body[:50_000]))
    rest = body[50_000:]
    line.sendall(b"%x\r\n" % len(rest) + rest + b"\r\n0\r\n\r\n")
    answer = line.recv(1 << 16)
    assert b"Expected" in answer, answer
