"""A real git server over HTTP on a free loopback port: `git http-backend` behind Basic authentication."""

from __future__ import annotations

import base64
import hmac
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

#: No settings of the person who runs this, and a plain identity for the first commit.
_GIT_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "release-manager", "GIT_AUTHOR_EMAIL": "release-manager@example.org",
    "GIT_COMMITTER_NAME": "release-manager", "GIT_COMMITTER_EMAIL": "release-manager@example.org",
}  # fmt: skip


class GitServer:
    """One bare repository that anybody may read (unless `private`) and one user may push to.

    Args:
        folder: an empty or missing folder; name: of the repository below it.
        user, password: who may push.
    """

    def __init__(self, folder: Path, *, password: str, user: str = "git", name: str = "project.git",
                 private: bool = False) -> None:  # fmt: skip
        self.folder, self.name, self.private = folder, name, private
        self._pair = f"{user}:{password}".encode()
        self.requests: list[tuple[str, str, int]] = []
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def repository(self) -> Path:
        return self.folder / self.name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.name}"

    @property
    def port(self) -> int:
        return self._server.server_port if self._server else 0

    def create(self, work_tree: Path) -> str:
        """Makes the repository with everything that `work_tree` does not ignore as its first commit.

        Returns:
            The commit, hex.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        _git("init", "--quiet", "--bare", "--initial-branch=main", str(self.repository))
        return self.commit(work_tree, "First commit")

    def commit(self, work_tree: Path, message: str) -> str:
        """Commits `work_tree` as it is now to main; returns the commit, hex."""
        there = ("--git-dir", str(self.repository), "--work-tree", str(work_tree), "-c", "core.bare=false")
        _git(*there, "add", "--all", ".", cwd=work_tree)
        _git(*there, "commit", "--quiet", "--allow-empty", "-m", message, cwd=work_tree)
        return _git(*there, "rev-parse", "HEAD")

    def start(self, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def may(self, header: str, *, writes: bool) -> bool:
        if not (writes or self.private):
            return True
        want = "Basic " + base64.b64encode(self._pair).decode()
        return hmac.compare_digest(header.encode(), want.encode())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(_Handler):
            git_server = server

        return Handler

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    """Hands each request to git's own CGI program. Source: git-http-backend(1), RFC 3875."""

    git_server: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        writes = "git-receive-pack" in self.path
        if not self.git_server.may(self.headers.get("Authorization", ""), writes=writes):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"Authentication failed\n")
            return
        environment = _GIT_ENVIRONMENT | {
            "GIT_PROJECT_ROOT": str(self.git_server.folder), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command, "PATH_INFO": parts.path, "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
        }  # fmt: skip
        if writes:
            environment["REMOTE_USER"] = "git"
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self._answer(status, [(n, v) for n, v in headers if n != "Status"], content)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.git_server.requests.append((self.command, self.path, status))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


def _git(*arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments], env=_GIT_ENVIRONMENT, cwd=cwd, capture_output=True, check=True, text=True
    )
    return done.stdout.strip()
