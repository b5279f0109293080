"""The bearer that a program of the transit API sends with each request. The front keeps none."""

from __future__ import annotations

import base64
import binascii
import hashlib

from fastapi import Request

from api.headers import header
from hsmpub.errors import Unauthenticated


class BearerMissing(Unauthenticated):
    advice = "Log in at /v1/auth/jwt/login and send the client_token as X-Vault-Token."


def bearer_of(request: Request) -> bytes:
    """Raises BearerMissing. `Authorization: Bearer` serves, too, as it does with Vault."""
    headers = request.scope["headers"]
    sent = header(headers, b"x-vault-token")
    if not sent:
        kind, _, value = header(headers, b"authorization").partition(b" ")
        sent = value.strip() if kind.lower() == b"bearer" else b""
    try:
        bearer = base64.urlsafe_b64decode(sent)
    except (binascii.Error, ValueError):
        bearer = b""
    if len(bearer) != 32:
        raise BearerMissing("The request carries no client token of this service.")
    return bearer


def bucket_of(bearer: bytes) -> bytes:
    """By which the front counts requests."""
    return hashlib.sha256(bearer).digest()
