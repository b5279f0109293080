"""Without a keeper the front answers, and says so; it finds the keeper again by itself."""

from __future__ import annotations

import httpx
from running import running


def test_everything_that_needs_the_keeper_says_that_it_is_away() -> None:
    with running(keeper=False) as front, httpx.Client(base_url=front.url, trust_env=False) as http:
        for path in ("/v1/status", "/healthz", "/readyz", "/v1/requests", "/v1/unseal"):
            answer = http.get(path)
            told = answer.json()
            assert answer.status_code == 503
            assert told["type"] == "urn:hsmpub:rule:keeper-unreachable"
            assert told["retry"] is True
            assert answer.headers["retry-after"] == "1"
        metrics = http.get("/metrics")
        assert metrics.status_code == 200
        assert "hsmpub_keeper_up 0" in metrics.text


def test_status_names_what_this_front_lacks() -> None:
    lacks = {"files": "the kernel has no Landlock", "no-core-file": "on", "tcp": "this role needs the network"}
    with running(protections=lacks) as front, httpx.Client(base_url=front.url, trust_env=False) as http:
        found = http.get("/v1/status").json()["protections"]
    assert found["front: files"] == "the kernel has no Landlock"
    assert not {"front: no-core-file", "front: tcp"} & set(found)


def test_a_keeper_that_comes_back_is_found() -> None:
    with running() as front, httpx.Client(base_url=front.url, trust_env=False) as http:
        assert http.get("/healthz").status_code == 200
        front.do(front.keeper.stop())
        assert http.get("/healthz").status_code == 503
        front.do(front.keeper.start())
        assert http.get("/healthz").status_code == 200
