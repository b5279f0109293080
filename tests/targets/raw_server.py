"""A server that answers each connection with exact bytes, slowly where wanted, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Self


class RawServer:
    """answer: bytes written after the head of a request arrived; endless: then repeated for ever, one each `every`
    seconds.

    trickle: writes one byte, then waits until `close`.
    """

    def __init__(self, answer: bytes, *, endless: bytes = b"", every: float = 0, trickle: bool = False,
                 tls: ssl.SSLContext | None = None) -> None:  # fmt: skip
        self.answer, self._endless, self._trickle, self._tls = answer, endless, trickle, tls
        self._every = every
        self._done = threading.Event()
        self.received: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def _serve(self) -> None:
        while not self._done.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                self._talk(self._tls.wrap_socket(connection, server_side=True) if self._tls else connection)

    def _talk(self, connection: socket.socket) -> None:
        data = b""
        with contextlib.closing(connection):
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    break
                data += piece
            self.received.append(data)
            connection.sendall(self.answer)
            if self._trickle:
                self._done.wait(60)
            while self._endless and not self._done.wait(self._every):
                connection.sendall(self._endless)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._done.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
