"""uvicorn's HTTP protocol with what it lacks: a cap on headers, a time for them, and refusals as problem documents.

What comes beside a chunked body, trailers and extensions of chunks, is nothing that anybody here reads: it is dropped,
and whoever sends more of it than headers may have is hung up on.
"""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.body import ARRIVED
from api.problem import MEDIA_TYPE, HeadersTooLarge, UnreadableHttp, document, problem_of
from hsmpub.errors import HsmpubError
from hsmpub.wire.outbox import Outbox


class FrontProtocol(HttpToolsProtocol):
    """max_header_bytes: of one request's head. header_timeout: seconds until it is complete."""

    max_header_bytes = 16 * 1024
    header_timeout = 15.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.transport = cast(asyncio.Transport, Outbox(self.transport))  # head and body of an answer in one packet
        self._heading = True  # waiting for, or within, the head of a request
        self._head_bytes = 0
        self._beside_bytes = 0  # came since the last byte of a body, and is none
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal: HsmpubError | None = None
        self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._heading = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, but for trailers: they would join the headers of a request that is being answered already."""
        if self._heading:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._beside_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._heading = False
        self._head_bytes = self._beside_bytes = 0
        size = len(self.url) + sum(map(len, chain.from_iterable(self.headers))) + 4 * len(self.headers)
        if size > self.max_header_bytes:
            self._refusal = self._too_large()
            raise self._refusal  # the parser stops, and asks for send_400_response
        self._hand_over()

    def _hand_over(self) -> None:
        """The request goes on to the application."""
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        cast(dict[str, Any], self.scope)[ARRIVED] = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        self._beside_bytes += len(data)
        super().data_received(data)
        if self._heading:  # an unfinished head: rare, since most arrive in one piece
            self._head_bytes += len(data)
            if self._head_bytes > self.max_header_bytes:
                self._refuse(self._too_large())
            self._wait_for_head()
            return
        if self._beside_bytes > self.max_header_bytes:
            self.transport.close()
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or UnreadableHttp("This is no HTTP that the service understands."))

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.header_timeout, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._heading and not self.transport.is_closing():
            self.transport.close()

    def _too_large(self) -> HsmpubError:
        return HeadersTooLarge(f"The headers have more than {self.max_header_bytes:,} bytes.")

    def _refuse(self, error: HsmpubError) -> None:
        if self.transport.is_closing():
            return
        problem, status = problem_of(error)
        content = document(problem, status)
        head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + content)
        self.transport.close()
