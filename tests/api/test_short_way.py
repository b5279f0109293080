"""Signing requests on bare connections: in pieces, one upon the other, too slow, too long, and cut off.

Whatever way a request takes, it is answered once, in its turn, and counted.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import Running, running
from test_ci_session import STATE, Source, trust_of

from api.connection import Connection
from hsmpub.client.client import Client
from hsmpub.model.submission import AskSign, dump_submission
from hsmpub.wire import messages as m

BODY = dump_submission(AskSign("sdk", ("openpgp",), states=(STATE,)))


class Line:
    """One connection of one job."""

    def __init__(self, front: Running) -> None:
        to = urlsplit(front.url)
        self.socket = socket.create_connection((to.hostname, to.port), timeout=20)
        self._file = self.socket.makefile("rb")
        with Client(front.url, trust_of(front)) as client:
            self._session = client.open_session(Source())

    def request(self, body: bytes = BODY, *more: bytes, length: int | None = None) -> bytes:
        """The bytes of a request. more: lines of its head."""
        own = [f"{name}: {value}".encode() for name, value in self._session.headers(body).items()]
        announced = b"Content-Length: %d" % (len(body) if length is None else length)
        return b"\r\n".join([b"POST /v1/sign HTTP/1.1", b"Host: front", announced, *own, *more, b"", body])

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], dict[str, object]]:
        """Status, headers and document of the next answer."""
        status, headers = 100, dict[str, str]()
        while status == 100:
            status, headers = self._head()
        return status, headers, json.loads(self._file.read(int(headers["content-length"])))

    def _head(self) -> tuple[int, dict[str, str]]:
        status, headers = int(self._file.readline().split()[1]), {}
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name] = value.strip()
        return status, headers

    def is_ended(self) -> bool:
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def line(front: Running) -> Iterator[Line]:
    made = Line(front)
    yield made
    made.close()


@pytest.fixture
def hold(front: Running) -> Iterator[Callable[[], None]]:
    """The keeper answers nothing until this is called. It waits until something was asked."""
    asked, free = threading.Event(), threading.Event()
    ordinary = front.keeper.script[m.Submit]

    async def answer(message: m.Submit) -> object:
        asked.set()
        await asyncio.to_thread(free.wait, 20)
        return ordinary(message)

    def let_go() -> None:
        assert asked.wait(20)
        free.set()

    front.keeper.script[m.Submit] = answer
    yield let_go
    free.set()
    front.keeper.script[m.Submit] = ordinary


@pytest.fixture(scope="module")
def front_for_all() -> Iterator[Running]:
    """For a property: its examples share one front that asks nobody to wait."""
    with running(costly_rate=10_000, costly_burst=10_000, address_rate=10_000, address_burst=10_000) as up:
        yield up


def ways(front: Running, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by the way that each request takes."""
    taken: list[str] = []
    short, long = Connection._take_the_short_way, Connection._take_the_long_way
    monkeypatch.setattr(Connection, "_take_the_short_way", lambda one: (taken.append("short"), short(one)))
    monkeypatch.setattr(Connection, "_take_the_long_way", lambda one: (taken.append("long"), long(one)))
    return taken


def test_requests_one_after_the_other_take_the_short_way(
    front: Running, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = ways(front, monkeypatch)
    names = set()
    for _ in range(3):
        line.send(line.request())
        status, headers, document = line.answer()
        assert status == 200
        assert document["request"] == "r-2"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "date" in headers
        names.add(headers["hsmpub-request-id"])
    assert taken == ["short"] * 3
    lines = [json.loads(text) for text in front.logged().splitlines()]
    assert names <= {one["id"] for one in lines if one.get("route") == "/v1/sign" and one["status"] == 200}


@pytest.mark.parametrize("extra", [b"Connection: close", b"Expect: 100-continue"])
def test_an_unusual_request_is_answered_all_the_same(
    front: Running, line: Line, monkeypatch: pytest.MonkeyPatch, extra: bytes
) -> None:
    taken = ways(front, monkeypatch)
    line.send(line.request(BODY, extra))
    assert line.answer()[0] == 200
    assert taken == []


def test_a_request_in_small_pieces_is_answered(front: Running, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = ways(front, monkeypatch)
    data = line.request()
    for at in range(0, len(data), 20):
        line.send(data[at : at + 20])
    assert line.answer()[0] == 200
    assert taken == ["short"]


def test_requests_in_one_piece_are_answered_in_their_order(front: Running, line: Line) -> None:
    wrong = line.request().replace(b"sdk-1.0", b"sdk-2.0")
    line.send(line.request() + wrong + line.request() + b"GET /healthz HTTP/1.1\r\nHost: front\r\n\r\n")
    assert [line.answer()[0] for _ in range(4)] == [200, 401, 200, 200]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=5), st.lists(st.integers(0, 1500), max_size=6))
def test_however_requests_are_cut_up_each_is_answered_once_in_its_turn(
    front_for_all: Running, good: list[bool], cuts: list[int]
) -> None:
    line = Line(front_for_all)
    asked = [line.request() if one else line.request().replace(b"sdk-1.0", b"sdk-2.0") for one in good]
    data = b"".join(asked)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        line.send(data[begin:end])
    assert [line.answer()[0] for _ in good] == [200 if one else 401 for one in good]
    line.close()


def test_what_comes_before_the_answer_waits_for_it(front: Running, line: Line, hold: Callable[[], None]) -> None:
    line.send(line.request())
    line.send(line.request().replace(b"sdk-1.0", b"sdk-2.0"))
    line.send(line.request()[:50])
    hold()
    assert [line.answer()[0] for _ in range(2)] == [200, 401]


def test_what_follows_a_request_and_is_no_http_ends_the_connection(front: Running, line: Line) -> None:
    line.send(line.request(length=len(BODY) - 1))  # its last byte is the first of another head
    status, _, document = line.answer()
    assert (status, document["type"]) == (400, "urn:hsmpub:rule:unreadable-http")
    assert line.is_ended()


def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(front: Running, line: Line) -> None:
    line.send(line.request(length=1 << 40))
    status, headers, _ = line.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert line.is_ended()


def test_a_body_that_turns_out_too_long_is_refused() -> None:
    with running(max_body_bytes=1024) as front:
        line = Line(front)
        head, _, _ = (
            line.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked").partition(b"\r\n\r\n")
        )
        line.send(head + b"\r\n\r\n" + b"400\r\n" + b" " * 1024 + b"\r\n")
        line.send(b"400\r\n" + b" " * 1024 + b"\r\n")
        assert line.answer()[0] == 413
        line.close()


def test_a_body_that_is_too_slow_is_refused_and_the_connection_ends() -> None:
    with running(body_timeout=1) as front:
        line = Line(front)
        line.send(line.request(length=len(BODY) + 1))
        status, headers, document = line.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert document["type"] == "urn:hsmpub:rule:body-too-slow"
        assert line.is_ended()
        line.close()
        assert "body-too-slow" in front.logged()


def test_an_idle_connection_ends_and_a_busy_one_does_not(
    monkeypatch: pytest.MonkeyPatch, front: Running, hold: Callable[[], None]
) -> None:
    monkeypatch.setattr(Connection, "keep_alive", 0.3)
    line, busy = Line(front), Line(front)
    busy.send(busy.request())
    hold()
    assert busy.answer()[0] == 200
    line.send(line.request())
    assert line.answer()[0] == 200
    assert line.is_ended()
    assert busy.is_ended()
    line.close()
    busy.close()


def test_who_hangs_up_meanwhile_harms_nobody(front: Running, line: Line, hold: Callable[[], None]) -> None:
    gone = Line(front)
    gone.send(gone.request())
    gone.close()
    line.send(line.request())
    hold()
    assert line.answer()[0] == 200


def test_a_session_that_asks_too_often_is_told_to_wait_and_the_keeper_hears_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(session_rate=0.001, session_burst=2) as front:
        taken = ways(front, monkeypatch)
        line = Line(front)
        statuses = []
        for _ in range(3):
            line.send(line.request())
            status, headers, _ = line.answer()
            statuses.append(status)
        assert (statuses, headers["retry-after"]) == ([200, 200, 429], "1")
        assert taken == ["short"] * 3
        assert sum(isinstance(one, m.Submit) for one in front.keeper.seen) == 2
        line.close()


def test_an_unexpected_fault_is_told_counted_and_over(
    front: Running, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(reply: object) -> bytes:
        raise RuntimeError("the canary")

    with monkeypatch.context() as patched:
        patched.setattr(front.server.config.app.state.short_way.route, "content", broken)  # type: ignore[union-attr]
        line.send(line.request())
        status, _, document = line.answer()
    assert (status, document["type"]) == (500, "urn:hsmpub:rule:internal-fault")
    assert "RuntimeError at" in front.logged()
    assert "the canary" not in front.logged()
    line.send(line.request())
    assert line.answer()[0] == 200


def test_a_front_that_stops_answers_what_it_has_begun() -> None:
    with running() as front:
        line, began, free = Line(front), threading.Event(), threading.Event()

        async def slow(message: m.Submit) -> object:
            began.set()
            await asyncio.to_thread(free.wait, 20)
            return front.keeper._submit(message)

        front.keeper.script[m.Submit] = slow
        line.send(line.request())
        assert began.wait(20)
        front.server.should_exit = True
        while not has_begun_to_stop(front):
            time.sleep(0.01)
        free.set()
        status, headers, _ = line.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert line.is_ended()
        line.close()


def has_begun_to_stop(front: Running) -> bool:
    """It listens no longer."""
    return not front.server.servers or not any(one.is_serving() for one in front.server.servers)


def test_a_keeper_that_ends_meanwhile_is_told() -> None:
    with running() as front:
        line, began = Line(front), threading.Event()

        async def silent(message: m.Submit) -> object:
            began.set()
            return await asyncio.get_running_loop().create_future()

        front.keeper.script[m.Submit] = silent
        line.send(line.request())
        assert began.wait(20)
        front.do(front.keeper.stop())
        status, _, document = line.answer()
        assert (status, document["type"]) == (503, "urn:hsmpub:rule:keeper-unreachable")
        line.send(line.request())  # and the connection goes on
        assert line.answer()[0] == 503
        line.close()
