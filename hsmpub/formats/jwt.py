"""A JSON Web Token in the compact form, by a profile of the policy: for a GitHub App, App Store Connect, a Google
service account, or a program of one's own.

The file is the claims that the requester wants, one JSON object. Header and payload are built here: algorithm by the
key's kind, `typ` and `kid` by the profile, and no other member of the header exists. `iat` and `exp` are the service's
(an earlier `exp` may be asked for), `nbf` and `jti` too; every other claim is one that the profile names.
A key that makes tokens makes nothing else. Source: RFC 7515, RFC 7519, RFC 8725, RFC 8037.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

from hsmpub.errors import Forbidden, Invalid
from hsmpub.formats.base import Detached, prepare_message
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact, Claim, Prepared, check_raw
from hsmpub.formats.jwt_claims import check_claim_values, fixed_claims
from hsmpub.formats.jwt_read import read_token
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.whole import whole_of
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.profiles import JwtProfile
from hsmpub.model.said import TokenSaid
from hsmpub.model.strict_json import NotStrictJson, load_strict_object

MOST_BYTES = 4096
_ALGORITHMS: dict[KeyKind, str] = {"p256": "ES256", "rsa3072": "RS256", "ed25519": "EdDSA"}


class JwtProfileMissing(Invalid):
    advice = "The policy says in [project.NAME.jwt] what its tokens say."


class ClaimsMalformed(DetailMalformed):
    advice = "Send one JSON object of claims: no member twice, no fractions, no deep nesting, 4 KiB at most."


class ExpiryRefused(Forbidden):
    advice = "Leave 'exp' out, or ask for a time before the profile's."


class JsonWebToken(Detached):
    """`.jwt`: ES256, RS256 or EdDSA."""

    name = "jwt"
    suffix = ".jwt"
    key_kinds: frozenset[KeyKind] = frozenset(_ALGORITHMS)
    detail_limit = MOST_BYTES

    def extract(self, source: Source) -> bytes:
        """The claims, as they are."""
        if source.size > MOST_BYTES:
            raise ClaimsMalformed(f"The claims have over {MOST_BYTES:,} bytes.")
        data = source.read(0, source.size)
        _parse(data)
        return data

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        """Raises what every format raises, JwtProfileMissing, ClaimsMalformed, ExpiryRefused, and the rules of
        hsmpub.formats.jwt_claims."""
        check_may_make(self, key)
        profile, asked = context.jwt, _parse(whole_of(artifact, self))
        if profile is None:
            raise JwtProfileMissing("The request names no profile for tokens.")
        header = {"alg": _ALGORITHMS[key.kind], "kid": profile.kid, "typ": profile.type}
        payload = _spelled(_payload(asked, profile, context, artifact.name))
        signed = _encoded(_spelled(header)) + b"." + _encoded(payload)
        return prepare_message(signed, key, signed, said=TokenSaid(payload.decode()))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        return prepared.parts[0] + b"." + _encoded(signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_token(output, whole_of(artifact, self), key, context)


def _payload(asked: dict[str, Any], profile: JwtProfile, context: Context, name: str) -> dict[str, Any]:
    issued = context.at - profile.early
    said = {**fixed_claims(profile), **asked}
    check_claim_values(said, profile)
    said["iat"] = issued
    said["exp"] = _expiry(asked, context.at, issued + profile.seconds)
    if profile.nbf:
        said["nbf"] = issued
    if profile.jti:
        chance = b"\0".join((b"hsmpub jwt", context.request.encode(), name.encode()))  # a request names no file twice
        said["jti"] = hashlib.sha256(chance).hexdigest()[:32]
    return said


def _expiry(asked: dict[str, Any], now: int, latest: int) -> int:
    """Raises ExpiryRefused."""
    expires = asked.get("exp", latest)
    if type(expires) is not int or not now < expires <= latest:
        raise ExpiryRefused("The time that is asked for is over, or later than the policy lets a token live.")
    return expires


def _parse(data: bytes) -> dict[str, Any]:
    """Raises ClaimsMalformed."""
    try:
        claims = load_strict_object(data)
    except NotStrictJson as error:
        raise ClaimsMalformed(f"The claims are {error}.") from None
    _check_depth(claims, 8)
    return claims


def _check_depth(value: Any, left: int) -> None:
    """Nothing that two readers could take for two things: no fractions, and integers that a double can hold.
    Source: RFC 7493, 2.2."""
    if left == 0 or isinstance(value, float) or (isinstance(value, int) and abs(value) >= 1 << 53):
        raise ClaimsMalformed("A claim is nested too deeply, or a number that not every reader takes for the same.")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(item, left - 1)


def _spelled(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
