"""The signing keys of an issuer (JWK Set), each pinned to the algorithms that it may verify.

Source: RFC 7517; RFC 7518 6; RFC 8037; RFC 8725 3.1 and 3.2.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.errors import Invalid
from hsmpub.model.strict_json import NotStrictJson, load_strict_object

#: An issuer's set is kept in one log entry.
MAX_JWKS_BYTES = 48 * 1024
MAX_KEYS = 64
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
_EC = {"P-256": (ec.SECP256R1(), 32, "ES256"), "P-384": (ec.SECP384R1(), 48, "ES384")}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")

VerifyingKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey


class IssuerKeysMalformed(Invalid):
    advice = "Look at what the issuer's 'jwks_uri' serves; the keys known before stay in use."


class IssuerKeyTooWeak(Invalid):
    advice = "The issuer must use RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519."


@dataclass(frozen=True)
class IssuerKey:
    """kid: its name; algorithms: the only `alg` values that it verifies."""

    kid: str
    algorithms: frozenset[str]
    public: VerifyingKey


IssuerKeySet = dict[str, IssuerKey]


def parse_jwks(data: bytes) -> IssuerKeySet:
    """The signature keys of a JWK Set, by `kid`.

    Keys for encryption, of other kinds (secp256k1, X25519, symmetric) and without a name are passed over.

    Raises:
        IssuerKeysMalformed: no strict JSON, two keys of one name, a broken key, or no usable key at all.
        IssuerKeyTooWeak: an RSA key outside 2048 to 8192 bits.
    """
    if len(data) > MAX_JWKS_BYTES:
        raise IssuerKeysMalformed(f"The issuer's key set has over {MAX_JWKS_BYTES:,} bytes.")
    try:
        keys = load_strict_object(data).get("keys")
    except NotStrictJson as e:
        raise IssuerKeysMalformed(f"The issuer's key set is {e}.") from None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(k, dict) for k in keys):
        raise IssuerKeysMalformed("The issuer's key set has no list of keys, or too long a one.")
    found: IssuerKeySet = {}
    for jwk in keys:
        key = _parse_key(jwk)
        if key is None:
            continue
        if key.kid in found:
            raise IssuerKeysMalformed("The issuer's key set has two keys of one name.")
        found[key.kid] = key
    if not found:
        raise IssuerKeysMalformed("The issuer's key set has no key for signatures.")
    return found


def _parse_key(jwk: dict[str, Any]) -> IssuerKey | None:
    kid, use, operations = jwk.get("kid"), jwk.get("use", "sig"), jwk.get("key_ops", ["verify"])
    if not isinstance(kid, str) or not 0 < len(kid) <= 256 or use != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if "d" in jwk or "k" in jwk:
        raise IssuerKeysMalformed("The issuer's key set holds a private or symmetric key.")
    try:
        made = _parse_public(jwk)
    except (ValueError, TypeError):
        raise IssuerKeysMalformed("The issuer's key set holds a broken key.") from None
    if made is None:
        return None
    public, algorithms = made
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    return IssuerKey(kid, algorithms, public) if algorithms else None


def _parse_public(jwk: dict[str, Any]) -> tuple[VerifyingKey, frozenset[str]] | None:
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            e, n = (int.from_bytes(decode_base64url(jwk.get(part)), "big") for part in "en")
            if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or not 3 <= e < 1 << 33:
                raise IssuerKeyTooWeak(f"A key of the issuer is RSA of {n.bit_length()} bits, or its exponent strange.")
            return rsa.RSAPublicNumbers(e, n).public_key(), frozenset({"RS256", "PS256"})
        case "EC", "P-256" | "P-384" as name:
            curve, size, algorithm = _EC[name]
            x, y = (decode_base64url(jwk.get(part)) for part in "xy")
            if len(x) != size or len(y) != size:
                raise ValueError("coordinates of another length")
            point = b"\x04" + x + y
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, point), frozenset({algorithm})
        case "OKP", "Ed25519":
            return Ed25519PublicKey.from_public_bytes(decode_base64url(jwk.get("x"))), frozenset({"EdDSA", "Ed25519"})
    return None


def decode_base64url(text: Any) -> bytes:
    """Unpadded base64url in its one form (RFC 7515, 2). Raises ValueError."""
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("base64url not in its one form")
    return data
