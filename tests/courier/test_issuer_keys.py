"""Issuers' keys: fetched by a child from the address in the policy, and offered to the keeper only when sound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec
import pytest
from courier_process import CourierProcess
from keeper_of_jobs import KeeperOfJobs

from hsmpub.wire.messages import IssuerToFetch

KEY = {"kid": "2026", "kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "alg": "ES256", "use": "sig"}


class Issuer:
    """Serves `pages`: path → (status, headers, value)."""

    def __init__(self) -> None:
        issuer = self
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                status, headers, value = issuer.pages.get(self.path, (404, {}, "no"))
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                body = json.dumps(value).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.pages: dict[str, tuple[int, dict[str, str], Any]] = {
            "/.well-known/openid-configuration": (200, {}, {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}),
            "/jwks": (200, {}, {"keys": [{**KEY, "x5c": ["long"]}]}),
        }
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    server = Issuer()
    yield server
    server.close()


@pytest.fixture
def sound(issuer: Issuer) -> Iterator[Issuer]:
    """A second issuer beside the first, to see that the courier has gone on."""
    server = Issuer()
    yield server
    server.close()


def test_offers_the_keys_of_each_issuer_without_what_only_swells_the_log(
    keeper: KeeperOfJobs, courier: CourierProcess, issuer: Issuer
) -> None:
    keeper.issuers = (IssuerToFetch("ci", issuer.url, True),)
    courier.start()
    keeper.wait_for(lambda: "ci" in keeper.offered)
    assert msgspec.json.decode(keeper.offered["ci"]) == {"keys": [KEY]}


def test_fetches_an_issuer_that_a_new_policy_names_at_once(
    keeper: KeeperOfJobs, courier: CourierProcess, issuer: Issuer, sound: Issuer
) -> None:
    keeper.issuers = (IssuerToFetch("ci", issuer.url, True),)
    courier.start()
    keeper.wait_for(lambda: "ci" in keeper.offered)
    keeper.issuers = (*keeper.issuers, IssuerToFetch("new", sound.url, True))
    keeper.wait_for(lambda: "new" in keeper.offered)
    assert issuer.asked.count("/jwks") == 1


DEFECTS: dict[str, tuple[str, Any]] = {
    "a discovery document of another issuer": (
        "/.well-known/openid-configuration", (200, {}, {"issuer": "https://example.org", "jwks_uri": "{url}/jwks"}),
    ),
    "a redirect": ("/jwks", (302, {"Location": "{url}/elsewhere"}, {"keys": [KEY]})),
    "keys at a private address": (
        "/.well-known/openid-configuration", (200, {}, {"issuer": "{url}", "jwks_uri": "http://169.254.169.254/jwks"}),
    ),
    "no key set": ("/jwks", (200, {}, ["no"])),
    "a key set over the cap": ("/jwks", (200, {}, {"keys": [{"kid": "x" * 400_000}]})),
    "an error": ("/jwks", (500, {}, {"keys": [KEY]})),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_offers_nothing_from_an_issuer_that_serves(
    defect: str, keeper: KeeperOfJobs, courier: CourierProcess, issuer: Issuer, sound: Issuer
) -> None:
    path, page = DEFECTS[defect]
    issuer.pages[path] = json.loads(json.dumps(page).replace("{url}", issuer.url))
    keeper.issuers = (IssuerToFetch("bad", issuer.url, True), IssuerToFetch("good", sound.url, True))
    courier.start()
    keeper.wait_for(lambda: "good" in keeper.offered)
    assert "bad" not in keeper.offered
    assert "keys of issuer bad were not taken" in courier.log.read_text()
    assert "/elsewhere" not in issuer.asked


def test_an_issuer_at_this_machine_is_refused_unless_the_policy_says_loopback(
    keeper: KeeperOfJobs, courier: CourierProcess, issuer: Issuer, sound: Issuer
) -> None:
    https = issuer.url.replace("http:", "https:")
    keeper.issuers = (IssuerToFetch("bad", https, False), IssuerToFetch("good", sound.url, True))
    courier.start()
    keeper.wait_for(lambda: "good" in keeper.offered)
    assert "not at a public address" in courier.log.read_text()
    assert issuer.asked == []
