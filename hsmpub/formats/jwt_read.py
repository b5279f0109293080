"""Reads the service's own tokens, and compares what they say with claims, profile, key and time. Builds nothing.

Source: RFC 7515, 7.1 and 5.2; RFC 7519, 4.1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from fnmatch import translate
from re import compile as pattern_of
from typing import Any

from hsmpub.formats.compact_json import members, read_json
from hsmpub.formats.context import Context
from hsmpub.formats.format import SIGNATURE_BYTES, Claim, OutputForAnother, OutputMalformed
from hsmpub.model.key import KeyRecord
from hsmpub.model.profiles import JwtProfile

_ALGORITHM_OF = {"p256": "ES256", "rsa3072": "RS256", "ed25519": "EdDSA"}
_MOST_BYTES = 32 * 1024
_TIMES = ("iat", "exp", "nbf")


class JwtMalformed(OutputMalformed):
    pass


class JwtForAnother(OutputForAnother):
    pass


def read_token(output: bytes, asked: bytes, key: KeyRecord, context: Context | None) -> Claim:
    """What a token claims to be signed. asked: the claims that it was asked for with.

    Raises:
        JwtMalformed, JwtForAnother.
    """
    parts = output.split(b".")
    if len(parts) != 3 or len(output) > _MOST_BYTES:
        raise JwtMalformed("This is not one token in the compact form.")
    header, payload, signature = (_decode(part) for part in parts)
    said = members(read_json(header, JwtMalformed), {"alg", "kid", "typ"}, JwtMalformed)
    claims = read_json(payload, JwtMalformed)
    if not isinstance(claims, dict) or list(claims) != sorted(claims) or list(said) != sorted(said):
        raise JwtMalformed("The token's members are not in their order.")
    if any(type(claims.get(name, 0)) is not int for name in _TIMES) or not {"iat", "exp"} <= claims.keys():
        raise JwtMalformed("The token lacks a time, or has one that is no whole number.")
    if said["alg"] != _ALGORITHM_OF.get(key.kind) or len(signature) != SIGNATURE_BYTES[key.kind]:
        raise JwtForAnother("The token is signed with another algorithm than the key's.")
    _compare_asked(claims, asked)
    if context is not None and context.jwt is not None:
        _compare_profile(said, claims, json.loads(asked), context.jwt, context.at)
    signed = parts[0] + b"." + parts[1]
    if key.kind == "ed25519":
        return Claim(signed, "none", signature)
    return Claim(hashlib.sha256(signed).digest(), "sha256", signature)


def _decode(part: bytes) -> bytes:
    """base64url without padding, in its one spelling."""
    try:
        data = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise JwtMalformed("A part of the token is not base64url.") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part:
        raise JwtMalformed("A part of the token is spelled in an unusual way.")
    return data


def _compare_asked(claims: dict[str, Any], asked: bytes) -> None:
    for name, value in json.loads(asked).items():
        if name not in claims or _text(claims[name]) != _text(value):
            raise JwtForAnother(f"The token does not say what was asked for {name[:80]!r}.")


def _compare_profile(
    header: dict[str, Any], claims: dict[str, Any], asked: dict[str, Any], profile: JwtProfile, at: int
) -> None:
    wanted = {"iat", "exp", *(("nbf",) if profile.nbf else ()), *(("jti",) if profile.jti else ())}
    others = claims.keys() - wanted
    if (header["kid"], header["typ"]) != (profile.kid, profile.type) or not wanted <= claims.keys():
        raise JwtForAnother("The token's header, or its claims, are not those of the profile.")
    if claims["iat"] != at - profile.early or claims.get("nbf", claims["iat"]) != claims["iat"]:
        raise JwtForAnother("The token is of another time.")
    latest = claims["iat"] + profile.seconds
    if not at < claims["exp"] <= latest or ("exp" not in asked and claims["exp"] != latest):
        raise JwtForAnother("The token lives for another time than the profile says.")
    if any(name not in profile.claims and name not in profile.free for name in others):
        raise JwtForAnother("The token says what the profile does not name.")
    for name, patterns in profile.claims.items():
        if name in claims and not all(_fits(text, patterns) for text in _texts(claims[name])):
            raise JwtForAnother(f"The token says of {name!r} what the profile does not take.")
        if name not in claims and (len(patterns) == 1 and "*" not in patterns[0]):
            raise JwtForAnother(f"The token does not say {name!r}, which the profile fixes.")


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fits(text: Any, patterns: tuple[str, ...]) -> bool:
    """Not the builder's matcher: the library's shell patterns, with everything but `*` taken for itself."""
    return isinstance(text, str) and any(
        len(text.split("/")) == len(pattern.split("/"))
        and all(_is_like(part, like) for part, like in zip(text.split("/"), pattern.split("/"), strict=True))
        for pattern in patterns
    )


def _is_like(part: str, like: str) -> bool:
    plain = like.replace("[", "[[]").replace("?", "[?]")
    return pattern_of(translate(plain)).match(part) is not None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
