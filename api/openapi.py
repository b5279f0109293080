"""The OpenAPI document: bodies and replies are msgspec structs, so their schemas come from msgspec."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.examples import example_of
from api.operations import Operation, operation_of, refusals_of
from api.problem import MEDIA_TYPE, ProblemDocument
from api.problem import document as problem_document
from api.vault import VaultErrors
from hsmpub.errors import FAMILIES, Problem


def _scheme(name: str, text: str) -> dict[str, str]:
    return {"type": "apiKey", "in": "header", "name": name, "description": text}


_REF = "#/components/schemas/{name}"
#: How an asker is authenticated, by name in SECURITY; several schemes in one are needed together.
_ASKERS = {"ci": ("session", "counter", "mac"), "person": ("person",), "upload": ("session",), "bearer": ("bearer",)}
SECURITY = {
    "session": _scheme("Hsmpub-Session", "The session's id, base64; see `openSession`."),
    "counter": _scheme("Hsmpub-Counter", "Decimal, from 1, each number once in a session."),
    "mac": _scheme("Hsmpub-Mac", "HMAC-SHA256 of counter and exact body under the session's key, base64."),
    "person": _scheme("Hsmpub-Signature", "The exact body's armoured SSHSIG (namespace hsmpub-request), base64."),
    "bearer": _scheme("X-Vault-Token", "The client token of `loginWithJwt`."),
}
_SHA256 = {
    "name": "Hsmpub-Sha256", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "SHA-256 of the file, hex, where it is known: other bytes are then refused and not kept.",
}  # fmt: skip
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

    headers: who asks, names of _ASKERS; more than one means either the one or the other.
    """
    extra: dict[str, Any] = {"responses": {str(status): {"description": says}}}
    extra["security"] = [{scheme: [] for scheme in _ASKERS[asker]} for asker in headers]
    if reply is not None:
        extra["responses"][str(status)]["content"] = {reply_type: _content(reply, example_of(reply))}
    if body is not None:
        extra["requestBody"] = {"required": True, "content": {body_type: _content(body, example)}}
    if "upload" in headers:
        extra["parameters"] = [_SHA256]
    return extra


def _content(kind: Any, example: Any) -> dict[str, Any]:
    return {"schema": _schema(kind), **({} if example is None else {"example": example})}


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
        kinds = [ProblemDocument, VaultErrors, *_described.values()]
        _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
        whole = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        whole["paths"].update(raw)
        for path, item in whole["paths"].items():
            for method, described in item.items():
                _complete(described, operation_of(method, path))
        whole["components"] = {"schemas": components, "securitySchemes": SECURITY}
        app.openapi_schema = whole
    return app.openapi_schema


def _complete(described: dict[str, Any], found: Operation) -> None:
    """Adds the operation's name and its refusals, in the form of its clients."""
    described["operationId"] = found.id
    in_vault_s_words = "transit" in described["tags"]
    responses = described["responses"]
    takes_parameters = responses.pop("422", None) is not None
    rules = refusals_of(found)
    if takes_parameters and not in_vault_s_words:
        responses["422"] = _refusal(422, "invalid", ["unprocessable"])
    for family, names in rules.items():
        status = FAMILIES[family].status
        responses[str(status)] = _vault_refusal(names) if in_vault_s_words else _refusal(status, family, names)
    responses["default"] = _vault_refusal([]) if in_vault_s_words else _refusal(400, "invalid", [])


def _refusal(status: int, family: str, names: list[str]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(name="ProblemDocument")}}
    if names:
        content["examples"] = {name: {"value": _problem(status, family, name)} for name in names}
    told = f"Refused: {', '.join(f'`{name}`' for name in names)}." if names else "Refused; `type` names the rule."
    return {"description": told, "content": {MEDIA_TYPE: content}}


def _problem(status: int, family: str, name: str) -> dict[str, Any]:
    retry = FAMILIES[family].retry_is_safe
    told = Problem(family, name, "What happened, in a sentence.", "What to do next.", retry)
    example: dict[str, Any] = msgspec.json.decode(problem_document(told, status))
    return example


def _vault_refusal(names: list[str]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(name="VaultErrors")}}
    if names:
        errors = [f"{names[0]}: What happened, in a sentence. What to do next."]
        content["example"] = {"errors": errors}
    told = f"Refused: {', '.join(f'`{name}`' for name in names)}." if names else "Refused, as Vault refuses."
    return {"description": told, "content": {"application/json": content}}
