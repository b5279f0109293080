"""A proxy in front of a real registry: counts what goes through, and can stop, break or bend it at named points."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

#: A rule sees each request: method, path, headers, body. It may answer by itself (status, headers, body) or let it
#: pass with None. `after` sees the registry's answer and may replace it.
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Gate:
    """Forwards to 127.0.0.1:`port`; listens at `listen`, or where it is free.

    uploads: every request that is no GET and reached the registry, with the registry's status. before, after: run in
    the request's own thread and may block. seen: all requests with their headers.
    """

    port: int
    listen: int = 0
    uploads: list[tuple[str, int]] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    before: Callable[[str, str, bytes], Answer | None] = lambda *_: None
    after: Callable[[str, str, Answer], Answer | None] = lambda *_: None
    _server: ThreadingHTTPServer | None = None

    @property
    def own_port(self) -> int:
        assert self._server is not None
        return int(self._server.server_port)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.own_port}{path}"

    def accepted(self) -> int:
        return sum(status < 300 for _, status in self.uploads)

    def __enter__(self) -> Self:
        gate = self

        class Handler(_Handler):
            rules = gate

        self._server = ThreadingHTTPServer(("127.0.0.1", self.listen), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        assert self._server is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    rules: Gate
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        self.close_connection = True
        if len(body) < length:
            return  # whoever sent it died on the way
        self.rules.seen.append((self.command, self.path, dict(self.headers)))
        answer = self.rules.before(self.command, self.path, body) or self._forwarded(body)
        answer = self.rules.after(self.command, self.path, answer) or answer
        if answer[0]:  # status 0: hang up without a word
            with contextlib.suppress(OSError):
                self._say(answer)

    def _forwarded(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.rules.port, timeout=60)
        with contextlib.closing(connection):
            headers = {n: v for n, v in self.headers.items() if n.lower() not in ("connection", "host")}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            data = response.read()
        if self.command != "GET":
            self.rules.uploads.append((self.path, response.status))
        return response.status, {"Content-Type": response.headers.get("Content-Type", "")}, data

    def _say(self, answer: Answer) -> None:
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, *_: object) -> None:
        pass
