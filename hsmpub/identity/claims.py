"""What the claims of a token must say, once its signature verified.

Source: RFC 7519 4.1; RFC 8725 3.8 and 3.9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from hsmpub.identity import refusals as rule
from hsmpub.identity.ci import REGISTERED
from hsmpub.identity.pinned import PinnedIssuer
from hsmpub.wire.session import bound_audience

LEEWAY = 60
#: A token that lives longer is a credential, not a job's identity.
MAX_LIFETIME = 24 * 3600
_FAR_FUTURE = 1 << 40

T = TypeVar("T")


def check_times(claims: dict[str, Any], now: int) -> int:
    """The time of expiry. Raises TokenExpired, TokenNotYetValid, TokenLivesTooLong, TokenMalformed."""
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    not_before = _time(claims, "nbf") if "nbf" in claims else issued_at
    if now >= expires_at + LEEWAY:
        raise rule.TokenExpired(f"The identity token expired {now - expires_at} seconds ago.")
    if max(not_before, issued_at) > now + LEEWAY:
        raise rule.TokenNotYetValid("The identity token is not valid yet.")
    if expires_at - issued_at > MAX_LIFETIME or expires_at < issued_at:
        raise rule.TokenLivesTooLong("The identity token is valid for more than a day.")
    return expires_at


def _time(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _FAR_FUTURE:
        raise rule.TokenMalformed(f"The identity token has no proper {name!r}.")
    return int(value)


def check_audience(claims: dict[str, Any], issuer: PinnedIssuer, client_key: bytes) -> bool:
    """True when the audience names the session's key, False where a plain one is enough.

    Raises TokenForAnotherAudience, TokenBoundToAnotherKey, TokenNotBound.
    """
    said = claims.get("aud")
    audience = said[0] if isinstance(said, list) and len(said) == 1 else said
    if not isinstance(audience, str):
        raise rule.TokenForAnotherAudience("The identity token is not for one audience.")
    if len(client_key) == 32 and audience == bound_audience(issuer.audience, client_key):
        return True
    if audience.startswith(f"{issuer.audience}#"):
        raise rule.TokenBoundToAnotherKey("The identity token names the key of another session.")
    if audience != issuer.audience:
        raise rule.TokenForAnotherAudience(f"The identity token is for {audience[:200]!r}.")
    if not issuer.bearer:
        raise rule.TokenNotBound("The identity token names no session key, so that whoever holds it could use it.")
    return False


def as_text(claims: dict[str, Any]) -> dict[str, str]:
    """Texts as they are, whole numbers in decimal, true and false as words; lists, tables and fractions left out."""
    shown: dict[type, Callable[[Any], str]] = {str: str, int: str, bool: lambda v: "true" if v else "false"}
    return {
        name: shown[type(value)](value)
        for name, value in claims.items()
        if name not in REGISTERED and type(value) in shown
    }


def token_id(claims: dict[str, Any], signed: bytes) -> str:
    """SHA-256 (hex) over issuer and `jti`; without `jti`, over what was signed, since a signature can be varied."""
    issuer = claims["iss"].encode()
    if "jti" not in claims:
        return hashlib.sha256(b"signed\0" + issuer + b"\0" + signed).hexdigest()
    jti = expect(claims, "jti", str)
    return hashlib.sha256(b"jti\0" + issuer + b"\0" + jti.encode()).hexdigest()


def expect(claims: dict[str, Any], name: str, kind: type[T]) -> T:
    """A claim that must be there, of its type and not empty. Raises TokenMalformed."""
    value = claims.get(name)
    if not isinstance(value, kind) or value == "":
        raise rule.TokenMalformed(f"The identity token has no proper {name!r}.")
    return value
