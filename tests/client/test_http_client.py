"""The client's HTTP: addresses, redirects, and answers that are not the service's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hsmpub.client.address import AddressRefused, CaFileUnusable, ServiceUnreachable, check_address
from hsmpub.client.http import Http
from hsmpub.client.steps import AnswerNotUnderstood
from hsmpub.errors import Refused

PROBLEM = b'{"type":"urn:hsmpub:rule:no","detail":"No.","family":"conflict","next_step":"Stop."}'
ELSEWHERE = (
    "http://example.org", "ftp://127.0.0.1", "example.org", "https://", "http://10.0.0.1",
    "http://127.0.0.1.example.org", "http://[fe80::1]",
)  # fmt: skip


class _Proxy(BaseHTTPRequestHandler):
    """Something before the service."""

    def do_GET(self) -> None:
        answers = {
            "/redirect": (302, {"location": "http://127.0.0.1:1/"}, b""),
            "/gateway": (502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"),
            "/problem": (409, {}, PROBLEM),
            "/strange": (400, {}, b'{"type":"about:blank","detail":"Odd.","family":"made-up"}'),
            "/text": (200, {}, b"not json"),
        }
        status, headers, body = answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def http() -> Iterator[Http]:
    server = HTTPServer(("127.0.0.1", 0), _Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    client = Http(f"http://127.0.0.1:{server.server_port}")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("url", ELSEWHERE)
def test_refuses_plain_http_to_anywhere_else(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(url)


@pytest.mark.parametrize(
    "url", ["https://example.org", "http://127.0.0.1:8700", "http://[::1]:8700", "http://localhost"]
)
def test_takes_https_and_loopback(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize("path", ["/redirect", "/gateway"])
def test_an_answer_of_something_else_is_called_that(http: Http, path: str) -> None:
    with pytest.raises(AnswerNotUnderstood):
        http.raw("GET", path)


def test_a_problem_document_becomes_the_services_own_words(http: Http) -> None:
    with pytest.raises(Refused) as refused:
        http.raw("GET", "/problem")
    error = refused.value
    assert (error.rule, error.detail, error.next_step, error.retry) == ("no", "No.", "Stop.", False)
    assert error.problem.family == "conflict"


def test_an_unknown_family_is_taken_for_the_worst(http: Http) -> None:
    with pytest.raises(Refused) as refused:
        http.raw("GET", "/strange")
    assert refused.value.problem.family == "broken"


def test_nobody_there_is_a_rule_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = Http(f"http://127.0.0.1:{port}")
    with pytest.raises(ServiceUnreachable, match="--url"):
        client.raw("GET", "/")
    client.close()


def test_environment_proxies_are_not_asked(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    other = Http(http.url)
    assert other.raw("GET", "/text") == b"not json"
    other.close()


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_refuses_a_ca_file_that_holds_no_certificate(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CaFileUnusable, match=r"ca\.pem cannot be used: "):
        Http("https://example.org", ca_file=file)
