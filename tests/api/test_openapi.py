"""The OpenAPI document: names that stay, refusals that exist, examples that are what the messages are."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from running import Running

from api.examples import EXAMPLES
from api.operations import OPERATIONS

PROBLEM, VAULT = "application/problem+json", "application/json"


@pytest.fixture(scope="module")
def document(front: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{front.url}/openapi.json", trust_env=False).json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_every_operation_is_listed_under_a_name_of_its_own(document: dict[str, Any]) -> None:
    found = {(method, path): operation["operationId"] for method, path, operation in operations(document)}
    assert found == {address: operation.id for address, operation in OPERATIONS.items()}
    assert len(set(found.values())) == len(found)
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in found.values())


def test_refusals_have_the_form_of_those_who_ask(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        refused = {status: one for status, one in operation["responses"].items() if not status.startswith("2")}
        assert {"429", "500", "503", "default"} <= refused.keys()
        for status, one in refused.items():
            form = VAULT if "transit" in operation["tags"] else PROBLEM
            assert list(one["content"]) == [form], path
            for name, example in one["content"][form].get("examples", {}).items():
                assert example["value"]["type"] == f"urn:hsmpub:rule:{name}"
                assert example["value"]["status"] == int(status)


def test_every_json_answer_has_an_example_and_every_example_is_of_its_schema(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, one in operation["responses"].items():
            for form, content in one.get("content", {}).items():
                if form == "application/json" and status.startswith("2") and "$ref" in content["schema"]:
                    assert "example" in content, path
    for kind, example in EXAMPLES.items():
        assert msgspec.json.decode(msgspec.json.encode(example), type=kind)


def test_who_has_to_be_authenticated_is_said(document: dict[str, Any]) -> None:
    known = document["components"]["securitySchemes"]
    said = {operation["operationId"]: operation["security"] for _, _, operation in operations(document)}
    ci = {"session": [], "counter": [], "mac": []}
    assert said["sign"] == [ci]
    assert said["submitRequest"] == [ci, {"person": []}]
    assert said["uploadArtifact"] == [{"session": []}]
    assert said["signWithTransitKey"] == [{"bearer": []}]
    assert said["getStatus"] == []
    assert {name for one in said.values() for schemes in one for name in schemes} == set(known)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/transit/nothing", 404), ("DELETE", "/v1/transit/sign/x", 405), ("POST", "/v1/auth/jwt/login", 400)],
)
def test_refusals_of_every_layer_are_vault_s_below_its_addresses(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = http.request(method, path, content=b"{")
    assert (answer.status_code, answer.headers["content-type"]) == (status, VAULT)
    assert answer.json().keys() == {"errors"}
