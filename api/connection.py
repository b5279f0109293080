"""A connection whose signing requests take the short way: those that are plain, and come one after the other.

A request is held until all of its body is there. It goes the long way (uvicorn's and the router's) if another follows
before it is answered, if it is long, or if there is anything unusual about it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from api.headers import content_length
from api.problem import BodyTooSlow
from api.protocol import FrontProtocol
from api.short_way import ShortWay, header_lines

#: Seconds that a connection without a request stays open.
KEEP_ALIVE = 30


class Connection(FrontProtocol):
    """The class attributes are set by `connection_with`. keep_alive: seconds."""

    short_way: ShortWay
    keep_alive = KEEP_ALIVE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._held: bytearray | None = None  # the body of a request that may take the short way
        self._is_whole = False
        self._asking = False  # its answer is not there yet
        self._early = b""  # came before that
        self._is_last = False
        self._slow_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._own: list[tuple[bytes, bytes]] = []  # headers of every answer
        self._own_lines = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._asking:
            self._is_last = True
        else:
            super().shutdown()

    # --- what arrives ---

    def data_received(self, data: bytes) -> None:
        if self._asking:  # one at a time, and nothing is read beyond this piece
            self._early += data
            self.flow.pause_reading()
            return
        super().data_received(data)
        if self._held is None:
            return
        if self.transport.is_closing():
            self._release()
        elif self._is_whole and len(self._held) <= self.short_way.route.cap:
            self._take_the_short_way()
        elif self._is_long():
            self._take_the_long_way()
        elif self._slow_timer is None:
            self._slow_timer = self.loop.call_later(self.short_way.route.timeout, self._too_slow_a_body)

    def on_message_begin(self) -> None:
        if self._held is not None:  # another request in the same piece
            self._take_the_long_way()
        super().on_message_begin()

    def _hand_over(self) -> None:
        if self._is_plain() and self.short_way.leads(self.url, self.parser.get_method()):
            self._held = bytearray()
        else:
            super()._hand_over()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._beside_bytes = 0
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
        else:
            self._is_whole = True

    def _is_plain(self) -> bool:
        return (
            (self.cycle is None or self.cycle.response_complete)
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
        )

    def _is_long(self) -> bool:
        announced = content_length({"headers": self.headers}) or 0
        return max(announced, len(self._held or b"")) > self.short_way.route.cap

    # --- where it goes ---

    def _take_the_short_way(self) -> None:
        body = self._release()
        self._asking = True
        self.short_way.take(self.headers, self.client, body, self._answer)

    def _take_the_long_way(self) -> None:
        whole, body = self._is_whole, self._release()
        super()._hand_over()
        if body:
            super().on_body(body)
        if whole:
            super().on_message_complete()

    def _too_slow_a_body(self) -> None:
        self._release()
        self._is_last = True
        seconds = self.short_way.route.timeout
        self.short_way.refuse(BodyTooSlow(f"The body did not arrive within {seconds:g} seconds."), self._answer)

    def _release(self) -> bytes:
        """The body that was held."""
        held = bytes(self._held or b"")
        self._held, self._is_whole = None, False
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None
        return held

    # --- what comes back ---

    def _answer(self, head: bytes, content: bytes) -> None:
        self._asking = False
        if self.transport.is_closing():
            return
        own = self.server_state.default_headers
        if own is not self._own:  # uvicorn makes them anew each second
            self._own, self._own_lines = own, header_lines(own)
        if self._is_last:
            self.transport.write(b"%b%bconnection: close\r\n\r\n%b" % (head, self._own_lines, content))
            self.transport.close()
            return
        self.transport.write(b"%b%b\r\n%b" % (head, self._own_lines, content))
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.keep_alive, self._look_whether_idle)
        if self._early:
            early, self._early = self._early, b""
            self.flow.resume_reading()
            self.data_received(early)

    def _look_whether_idle(self) -> None:
        """One timer for many requests. What it leaves alone here has a timer of its own, or is answered, which starts
        it anew."""
        self._idle_timer = None
        under_way = self.cycle is not None and not self.cycle.response_complete
        if self._asking or self._held is not None or self._head_timer is not None or under_way:
            return
        left = self._idle_since + self.keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look_whether_idle)
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_handler()


def connection_with(max_header_bytes: int, header_timeout: float, short_way: ShortWay) -> type[Connection]:
    """The protocol with these caps: bytes of one request's head, seconds until it is complete."""
    members: dict[str, Any] = {
        "max_header_bytes": max_header_bytes, "header_timeout": header_timeout, "short_way": short_way,
    }  # fmt: skip
    return type("CappedConnection", (Connection,), members)
