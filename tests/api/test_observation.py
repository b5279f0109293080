"""Readiness, metrics and the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from running import Running, running

from hsmpub.wire import messages as m


def test_ready_means_that_every_key_signed(front: Running, http: httpx.Client) -> None:
    assert http.get("/readyz").json() == {"type": "ready-reply", "ready": True, "keys": {"release": "ok"}}


def test_asking_often_costs_the_hsm_once(front: Running, http: httpx.Client) -> None:
    before = sum(isinstance(s, m.GetReady) for s in front.keeper.seen)
    for _ in range(5):
        http.get("/readyz")
    assert sum(isinstance(s, m.GetReady) for s in front.keeper.seen) <= before + 1


def test_not_ready_names_the_key() -> None:
    with running() as front:
        front.keeper.script[m.GetReady] = m.ReadyReply(False, {"release": "ok", "log": "the token is gone"})
        answer = httpx.get(f"{front.url}/readyz", trust_env=False)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:hsmpub:rule:not-ready"
    assert "log: the token is gone" in answer.json()["detail"]


def test_metrics_have_few_series_and_the_keepers_counters(front: Running, http: httpx.Client) -> None:
    for number in range(20):
        http.get(f"/nothing/{number}")
        http.get(f"/v1/requests/r-{number}")
    front.settle()
    text = http.get("/metrics").text
    assert 'hsmpub_http_requests_total{route="unmatched",rule="no-such-route",status="404"}' in text
    assert 'hsmpub_http_requests_total{route="/v1/requests/{name}",rule="unknown-request",status="404"}' in text
    assert "hsmpub_keeper_up 1" in text
    assert "hsmpub_keeper_unsealed 1.0" in text
    assert "hsmpub_keeper_signatures_total 12.0" in text
    assert "/nothing/1" not in text
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-zA-Z_:][\w:]*(\{[^}]*\}(?:"\})?.*)? \S+', line), line


@pytest.fixture(scope="module")
def document(front: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{front.url}/openapi.json", trust_env=False).json()
    return found


ROUTES = {
    ("post", "/v1/sessions"), ("put", "/v1/artifacts"), ("head", "/v1/artifacts/{sha256}"),
    ("get", "/v1/artifacts/{sha256}"), ("post", "/v1/requests"), ("get", "/v1/requests"),
    ("get", "/v1/requests/{name}"), ("get", "/v1/requests/{name}/statement"),
    ("post", "/v1/requests/{name}/approvals"), ("post", "/v1/requests/{name}/refusals"),
    ("get", "/v1/requests/{name}/outputs/{output}"), ("get", "/v1/requests/{name}/receipt"),
    ("get", "/v1/receipts/{entry}"), ("get", "/v1/keys"), ("post", "/v1/sign"), ("post", "/v1/headers"),
    ("post", "/v1/seal"),
    ("get", "/v1/status"),
    ("get", "/v1/unseal"), ("get", "/v1/holders/nonce"), ("post", "/v1/holders/seal"), ("post", "/v1/holders/alive"),
    ("post", "/v1/holders/confirm"),
    ("get", "/v1/upgrade"), ("post", "/v1/upgrade/permissions"),
    ("post", "/v1/unseal/shares"), ("get", "/v1/drills/{quorum}"),
    ("post", "/v1/drills/{quorum}/shares"), ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"),
    ("get", "/v1/auth/token/lookup-self"), ("post", "/v1/auth/token/renew-self"),
    ("post", "/v1/auth/token/revoke-self"), ("post", "/v1/auth/jwt/login"), ("get", "/v1/transit/keys/{name}"),
    ("post", "/v1/transit/sign/{name}"), ("post", "/v1/transit/verify/{name}"),
    ("post", "/v1/timestamp"),
    ("get", "/log/checkpoint"), ("get", "/log/tile/{path}"), ("get", "/log/entries"),
}  # fmt: skip


def test_every_route_is_described(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    found = {(method, path) for path, item in document["paths"].items() for method in item}
    assert found == ROUTES
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert operation["description"], path
            named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def follow(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert value["$ref"].rpartition("/")[2] in schemas
            for inner in value.values():
                follow(inner)
        elif isinstance(value, list):
            for inner in value:
                follow(inner)

    follow(document)
    assert {"SessionBody", "AskSign", "SignReply", "ProblemDocument", "RequestView"} <= set(schemas)


def test_bodies_have_schemas_and_examples(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert content["schema"], path
                assert "example" in content or path in ("/v1/artifacts", "/v1/timestamp")  # bytes that nobody types
