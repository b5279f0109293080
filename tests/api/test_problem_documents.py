"""Every refusal is a problem document, and none repeats what was sent."""

from __future__ import annotations

import re
import socket

import httpx
import pytest
from fake_keeper import view
from running import Running, running

from hsmpub.errors import Broken, Conflict, HsmpubError, Sealed
from hsmpub.wire import messages as m

CANARY = "canary-7f3a9c"


class NothingOfTheKind(Conflict):
    advice = "Do something else."


def check_problem(answer: httpx.Response, status: int, rule: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert answer.status_code == told["status"] == status
    assert told["type"] == f"urn:hsmpub:rule:{rule}"
    assert told["title"] == rule.replace("-", " ").capitalize()
    assert told["detail"].endswith(".")
    assert told["next_step"]
    assert isinstance(told["retry"], bool)
    assert CANARY not in answer.text
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answer.headers["hsmpub-request-id"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "rule"),
    [
        ("GET", f"/nothing/{CANARY}", b"", 404, "no-such-route"),
        ("DELETE", "/v1/sign", b"", 405, "method-not-allowed"),
        ("PATCH", "/v1/status", b"", 405, "method-not-allowed"),
        ("GET", f"/v1/requests?open={CANARY}", b"", 422, "unprocessable"),
        ("GET", f"/log/entries?start={CANARY}&end=3", b"", 422, "unprocessable"),
        ("GET", "/log/entries?start=5&end=3", b"", 422, "unprocessable"),
        ("GET", "/v1/requests/..%2f..%2fetc%2fpasswd", b"", 404, "no-such-route"),
        ("GET", "/v1/requests/%1b%5b2J", b"", 404, "no-such-request"),
        ("GET", "/v1/requests/" + "r" * 500, b"", 404, "no-such-request"),
        ("GET", "/v1/artifacts/..%2e", b"", 400, "hostile-digest"),
        ("GET", "/log/tile/0/x001", b"", 400, "tile-path-malformed"),
        ("POST", "/v1/sessions", b'{"token": "%s"' % CANARY.encode(), 400, "body-refused"),
        ("POST", "/v1/sessions", b'{"%s": 1}' % CANARY.encode(), 400, "body-refused"),
        ("POST", "/v1/sessions", b'{"token": 7, "client_key": "%s"}' % CANARY.encode(), 400, "body-refused"),
        ("POST", "/v1/unseal/shares", b'{"attempt": "%s"}' % CANARY.encode(), 400, "body-refused"),
        ("POST", "/v1/unseal/shares", CANARY.encode() * 4000, 413, "body-too-large"),
        ("POST", "/v1/sign", CANARY.encode(), 400, "header-refused"),
        ("PUT", "/v1/artifacts", CANARY.encode(), 400, "header-refused"),
    ],
)  # fmt: skip
def test_names_the_rule_and_never_echoes(
    http: httpx.Client, method: str, path: str, body: bytes, status: int, rule: str
) -> None:
    check_problem(http.request(method, path, content=body or None), status, rule)


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"hsmpub-session": "!!", "hsmpub-counter": "1", "hsmpub-mac": "AAAA"}, "header-refused"),
        ({"hsmpub-session": "AAAA", "hsmpub-counter": "-1", "hsmpub-mac": "A" * 44}, "header-refused"),
        ({"hsmpub-session": "AAAA", "hsmpub-counter": "1", "hsmpub-mac": CANARY}, "header-refused"),
        ({"hsmpub-session": "AAAA", "hsmpub-counter": "9" * 30, "hsmpub-mac": "A" * 44}, "header-refused"),
        ({"hsmpub-signature": CANARY}, "header-refused"),
    ],
)
def test_refuses_malformed_headers(http: httpx.Client, headers: dict[str, str], rule: str) -> None:
    check_problem(http.post("/v1/requests", content=b"{}", headers=headers), 400, rule)


def test_passes_the_keepers_refusal_on_word_for_word(front: Running, http: httpx.Client) -> None:
    front.keeper.script[m.Approve] = NothingOfTheKind("It was approved before.", next_step="Look at the request.")
    answer = http.post("/v1/requests/r-1/approvals", json={"person": "p", "signature": "s"})
    check_problem(answer, 409, "nothing-of-the-kind")
    assert answer.json()["detail"] == "It was approved before."
    assert answer.json()["next_step"] == "Look at the request."
    assert answer.json()["retry"] is False
    assert answer.json()["family"] == "conflict"


@pytest.mark.parametrize(("error", "status"), [(Sealed("Sealed."), 503), (Broken("Stop."), 500)])
def test_gives_each_family_its_status(front: Running, http: httpx.Client, error: HsmpubError, status: int) -> None:
    front.keeper.script[m.Decline] = error
    answer = http.post("/v1/requests/r-1/refusals", json={"person": "p", "signature": "s"})
    check_problem(answer, status, error.rule)
    assert ("retry-after" in answer.headers) == (status == 503)


def test_an_unexpected_fault_says_nothing_of_itself(front: Running, http: httpx.Client) -> None:
    front.keeper.script[m.GetRequest] = m.Done(CANARY)  # not what a request is answered with
    try:
        check_problem(http.get("/v1/requests/r-1"), 500, "internal-fault")
    finally:
        front.keeper.script[m.GetRequest] = view()
    assert CANARY not in front.logged()
    assert '"fault":"AssertionError at requests.py:' in front.logged()


def test_refuses_headers_over_the_cap(http: httpx.Client) -> None:
    answer = http.get("/v1/status", headers={"x-much": "x" * 20_000})
    assert answer.status_code == 431
    assert answer.json()["type"] == "urn:hsmpub:rule:headers-too-large"
    assert answer.headers["connection"] == "close"


def test_refuses_what_is_no_http_with_a_document(front: Running) -> None:
    with socket.create_connection(front.server.servers[0].sockets[0].getsockname()) as raw:
        raw.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"urn:hsmpub:rule:unreadable-http" in answer


def test_a_body_that_never_ends_its_sentence_is_let_go() -> None:
    with running(body_timeout=0.3) as front:
        host, port = front.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{")
            answer = raw.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"urn:hsmpub:rule:body-too-slow" in answer


def test_a_head_that_never_ends_is_let_go() -> None:
    with running(body_timeout=0.3) as front:
        host, port = front.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"GET /v1/status HTTP/1.1\r\nx-slow: ")
            assert raw.makefile("rb").read() == b""


def test_the_log_has_rules_and_routes_and_no_bodies(front: Running, http: httpx.Client) -> None:
    http.post("/v1/sessions", content=CANARY, headers={"authorization": CANARY})
    http.get(f"/v1/requests/r-1?x={CANARY}")
    told = front.logged()
    assert CANARY not in told
    assert '"route":"/v1/sessions","status":400' in told
    assert '"rule":"body-refused"' in told
    assert '"route":"/v1/requests/{name}","status":200' in told
