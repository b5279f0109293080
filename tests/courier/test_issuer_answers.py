"""What an issuer's answer may be like on the wire: with a length, in chunks, to the end of the connection; bounded."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "targets"))

from raw_server import RawServer

from hsmpub.courier.issuer_keys import IssuerAnswerMalformed, fetch_issuer_keys
from hsmpub.errors import HsmpubError
from hsmpub.targets.bounded import AnswerTooLarge
from hsmpub.targets.pinned import AnswerMalformed
from hsmpub.targets.target import OutcomeUnknown

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
KEY = {"kid": "2026", "kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ"}


def in_chunks(body: bytes, size: int = 7) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return CHUNKED + b"".join(b"%x;why=not\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\nTrailer: x\r\n\r\n"


def serving(server: RawServer, spelled: Callable[[bytes], bytes]) -> str:
    """The issuer's address. One document is its discovery and its key set, so that each request gets the same."""
    url = server.url("")
    body = json.dumps({"issuer": url, "jwks_uri": f"{url}/jwks", "keys": [KEY]}).encode()
    server.answer = spelled(body)
    return url


def fetch(url: str, lifetime: float = 20) -> bytes:
    return fetch_issuer_keys(url, loopback=True, timeout=5, lifetime=lifetime)


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "a length": lambda body: HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
    "chunks": in_chunks,
    "chunks of one byte": lambda body: in_chunks(body, 1),
    "the end of the connection": lambda body: HEAD + b"\r\n" + body,
    "the end of the connection, in HTTP/1.0": lambda body: b"HTTP/1.0 200 OK\r\n\r\n" + body,
}


@pytest.mark.parametrize("way", WAYS)
def test_takes_an_issuer_s_keys_that_end_with(way: str) -> None:
    with RawServer(b"") as server:
        held = fetch(serving(server, WAYS[way]))
    assert json.loads(held) == {"keys": [KEY]}
    assert len(server.received) == 2


BROKEN: dict[str, tuple[Callable[[bytes], bytes], type[HsmpubError]]] = {
    "in a chunk": (lambda body: in_chunks(body)[:-40], AnswerMalformed),
    "before the last chunk": (lambda body: in_chunks(body).partition(b"0\r\nTrailer")[0], AnswerMalformed),
    "before the length that it said": (lambda body: HEAD + b"Content-Length: 9999\r\n\r\n" + body, AnswerMalformed),
    "within the document": (lambda body: HEAD + b"\r\n" + body[:-1], IssuerAnswerMalformed),
    "before the document": (lambda body: HEAD + b"\r\n", IssuerAnswerMalformed),
}


@pytest.mark.parametrize("where", BROKEN)
def test_refuses_an_answer_that_breaks_off(where: str) -> None:
    spelled, rule = BROKEN[where]
    with RawServer(b"") as server, pytest.raises(rule):
        fetch(serving(server, spelled))


ENDLESS = {
    "chunks": (CHUNKED, b"8000\r\n" + bytes(0x8000) + b"\r\n"),
    "small chunks": (CHUNKED, b"1\r\nx\r\n" * 9000),
    "one chunk": (CHUNKED + b"ffffffff\r\n", b" " * 65_536),
    "trailers": (CHUNKED + b"0\r\n", b"Trailer: x\r\n" * 9000),
    "bytes without a length": (HEAD + b"\r\n", b" " * 65_536),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_cuts_off_endless(what: str) -> None:
    head, endless = ENDLESS[what]
    with RawServer(head, endless=endless) as server, pytest.raises(AnswerTooLarge):
        fetch(server.url(""))


@pytest.mark.parametrize("head", [CHUNKED, HEAD + b"\r\n"], ids=["chunks", "bytes without a length"])
def test_gives_up_an_issuer_whose_answer_only_trickles(head: bytes) -> None:
    """Each byte comes in time, and all of them together do not."""
    drop = b"1\r\n \r\n" if head == CHUNKED else b" "
    with RawServer(head, endless=drop, every=0.02) as server, pytest.raises(OutcomeUnknown):
        fetch(server.url(""), lifetime=0.3)


def test_gives_up_an_issuer_that_stops_within_a_chunk() -> None:
    with RawServer(CHUNKED + b"5\r\n{", trickle=True) as server, pytest.raises(OutcomeUnknown):
        fetch(server.url(""), lifetime=0.2)
