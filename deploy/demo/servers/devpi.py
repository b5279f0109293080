"""A real devpi-server on a free loopback port: a Python package index with uploads, for the demo and tests."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

#: Init and serve in one process, and end with whoever holds the other end of stdin (its first line: root's password).
#: The cheap argon2 settings concern devpi's own login tokens, and save five seconds at every start.
_PROGRAM = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")
secret = sys.stdin.readline().strip()
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from devpi_server.init import init
from devpi_server.main import main
folder, port = sys.argv[1:]
init(argv=["devpi-init", "--serverdir", folder, "--no-root-pypi", "--root-passwd", secret])
main(argv=["devpi-server", "--serverdir", folder, "--host", "127.0.0.1", "--port", port, "--threads", "8",
           "--restrict-modify", "root", "--argon2-time-cost", "1", "--argon2-memory-cost", "8192"])
"""


class DevpiFailed(Exception):
    pass


class Devpi:
    """One server with one user and one index, which never takes a file name twice (volatile=False).

    Args:
        folder: an empty or missing folder for its data and log.
        user, password: who may upload. index: name of the index.
    """

    def __init__(self, folder: Path, *, password: str, user: str = "release-bot", index: str = "main") -> None:
        self.folder, self.user, self.index = folder, user, index
        self._password = password
        self._root = secrets.token_hex(16)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def upload_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.user}/{self.index}/"

    @property
    def simple_url(self) -> str:
        """For pip's --index-url too."""
        return f"{self.upload_url}+simple/"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self, *, port: int = 0, patience: float = 60) -> None:
        """Starts it and makes user and index. port: 0 takes a free one. patience: seconds.

        Raises:
            DevpiFailed: it did not come up; the end of its log is in the message.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        with (self.folder / "devpi.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(self.folder / "data"), str(self.port)],
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(self._root.encode() + b"\n")
            self._process.stdin.flush()
            self._wait(time.monotonic() + patience)
            self._request("PUT", f"/{self.user}", {"password": self._password})
            self._request("PUT", f"/{self.user}/{self.index}", {"bases": [], "volatile": False})
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()
            self._process = None

    def _wait(self, until: float) -> None:
        while True:
            try:
                self._request("GET", "/+api")
                return
            except OSError:
                dead = self._process is None or self._process.poll() is not None
                if dead or time.monotonic() > until:
                    end = (self.folder / "devpi.log").read_text("utf-8", "replace")[-2000:]
                    raise DevpiFailed(f"devpi-server did not start:\n{end}") from None
                time.sleep(0.05)

    def _request(self, method: str, path: str, value: object = None) -> None:
        pair = base64.b64encode(f"root:{self._root}".encode()).decode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Authorization": f"Basic {pair}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, None if value is None else json.dumps(value), headers)
            answer = connection.getresponse()
            said = answer.read(500).decode("utf-8", "replace")
        if answer.status >= 300:
            raise DevpiFailed(f"devpi-server refused {method} {path}: {said}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.stop()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
