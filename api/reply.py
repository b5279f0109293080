"""Answers that are not refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A message as JSON; bytes become base64. Never kept by a cache."""
    return Response(_encode(value), status, {"cache-control": "no-store", **(headers or {})}, "application/json")


def bytes_reply(data: bytes, media_type: str = "application/octet-stream", *, forever: bool = False) -> Response:
    """Exact bytes. forever: they never change at this address, so caches may keep them."""
    cache = "public, max-age=31536000, immutable" if forever else "no-store"
    return Response(data, 200, {"cache-control": cache}, media_type)
