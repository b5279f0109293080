"""The bearer of a login, sent with each request for a digest or a timestamp. The front keeps none."""

from __future__ import annotations

import base64
import binascii
import hashlib

from fastapi import Request

from api.headers import RawHeaders, header
from api.problem import HeaderRefused
from hsmpub.errors import Unauthenticated

_BYTES = 32


class BearerMissing(Unauthenticated):
    advice = "Log in at /v1/auth/jwt/login and send the client_token as X-Vault-Token."


def bearer_of(request: Request) -> bytes:
    """Raises BearerMissing. `Authorization: Bearer` serves, too, as it does with Vault."""
    headers = request.scope["headers"]
    bearer = _read(header(headers, b"x-vault-token") or _authorization(headers))
    if not bearer:
        raise BearerMissing("The request carries no client token of this service.")
    return bearer


def bearer_if_any(request: Request) -> bytes:
    """Of `Authorization: Bearer`, or empty: none was sent. Raises HeaderRefused."""
    headers = request.scope["headers"]
    if not header(headers, b"authorization"):
        return b""
    bearer = _read(_authorization(headers))
    if not bearer:
        raise HeaderRefused("The header Authorization carries no client token of this service.")
    return bearer


def _authorization(headers: RawHeaders) -> bytes:
    scheme, _, token = header(headers, b"authorization").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _read(token: bytes) -> bytes:
    """Empty where it is none."""
    try:
        bearer = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return bearer if len(bearer) == _BYTES else b""


def bucket_of(bearer: bytes) -> bytes:
    """By which the front counts requests."""
    return hashlib.sha256(bearer).digest()
