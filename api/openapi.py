"""The OpenAPI document: bodies and replies are msgspec structs, so their schemas come from msgspec."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problem import MEDIA_TYPE, ProblemDocument

_REF = "#/components/schemas/{name}"
_PROBLEM = {
    "description": "Refused, as RFC 9457 says. `type` names the rule, `next_step` says what to do.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="ProblemDocument")}}},
}
_CI_HEADERS = {
    "Hsmpub-Session": "The session's id, base64.",
    "Hsmpub-Counter": "A number that grows with every request of the session.",
    "Hsmpub-Mac": "HMAC-SHA256 of counter and body under the session's key, base64.",
}
_PERSON_HEADERS = {"Hsmpub-Signature": "The body's armoured SSHSIG (namespace hsmpub-request), base64."}
HEADERS = {
    "ci": _CI_HEADERS,
    "person": _PERSON_HEADERS,
    "upload": {
        "Hsmpub-Session": _CI_HEADERS["Hsmpub-Session"],
        "Hsmpub-Sha256": "SHA-256 of the file, hex, where it is known: other bytes are then refused and not kept.",
    },
}
_described: dict[str, type] = {}


def operation(
    *,
    body: Any = None,
    example: Any = None,
    body_type: str = "application/json",
    reply: Any = None,
    reply_type: str = "application/json",
    says: str = "Done.",
    status: int = 200,
    headers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The parts of an operation that FastAPI cannot see. body, reply: msgspec types, or `bytes` for raw bytes.

    headers: names in HEADERS; more than one means either the one or the other.
    """
    extra: dict[str, Any] = {"responses": {str(status): {"description": says}, "default": _PROBLEM}}
    if reply is not None:
        extra["responses"][str(status)]["content"] = {reply_type: {"schema": _schema(reply)}}
    if body is not None:
        content: dict[str, Any] = {"schema": _schema(body)}
        if example is not None:
            content["example"] = example
        extra["requestBody"] = {"required": True, "content": {body_type: content}}
    if headers:
        extra["parameters"] = [
            _header(name, text, required=len(headers) == 1 and name != "Hsmpub-Sha256")
            for group in headers
            for name, text in HEADERS[group].items()
        ]
    return extra


def _header(name: str, text: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": text, "schema": {"type": "string"}}


def _schema(kind: Any) -> dict[str, Any]:
    if kind is bytes:
        return {"type": "string", "format": "binary"}
    if kind is str:
        return {"type": "string"}
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    _described[str(kind)] = kind
    return schema


def document(app: FastAPI, raw: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The whole document, made once. raw: paths that FastAPI does not route, as OpenAPI path items."""
    if app.openapi_schema is None:
        _, components = msgspec.json.schema_components([ProblemDocument, *_described.values()], ref_template=_REF)
        whole = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        whole["paths"].update(raw)
        for item in whole["paths"].values():
            for described in item.values():
                described.get("responses", {}).pop("422", None)
        whole["components"] = {"schemas": components}
        app.openapi_schema = whole
    return app.openapi_schema
