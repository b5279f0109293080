"""Verify a CI job's identity token (a JWT in compact form) without looking anything up.

 1. cap the size, split in three, decode in the one canonical form, strict JSON;
 2. refuse `none`, HMAC, `crit` and types that are no identity token, before any key is looked for;
 3. the issuer is one of the policy's, by exact URL;
 4. the key is one of that issuer's by `kid`, and the key, not the token, says which algorithm;
 5. the signature verifies;
 6. times: expired, not yet valid, valid for too long; a minute of leeway;
 7. audience: this service, and the session's key (or plain, where the policy lets an issuer do that);
 8. name the token, so that the keeper can refuse it a second time.
Source: RFC 7519; RFC 8725 (best current practice); RFC 8037.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from hsmpub.identity import refusals as rule
from hsmpub.identity.ci import REGISTERED, CiIdentity
from hsmpub.identity.jwks import IssuerKey, IssuerKeySet, decode_base64url
from hsmpub.identity.strict_json import NotStrictJson, load_strict_object
from hsmpub.wire.session import bound_audience

if TYPE_CHECKING:
    from hsmpub.policy.model import Issuer, PolicyFile

MAX_TOKEN_BYTES = 16 * 1024
LEEWAY = 60
#: A token that lives longer is a credential, not a job's identity.
MAX_LIFETIME = 24 * 3600
_FAR_FUTURE = 1 << 40

T = TypeVar("T")


def verify_token(
    token: bytes, *, client_key: bytes, policy: PolicyFile, issuer_keys: Mapping[str, IssuerKeySet], now: int
) -> CiIdentity:
    """The identity that a token proves, at `now` (seconds since 1970), for a session of `client_key`.

    Args:
        token: as sent: `header.payload.signature`.
        client_key: raw X25519 public key of the session, 32 bytes, which the audience must name.
        policy: its issuers are the only ones.
        issuer_keys: name of the issuer in the policy → keys by `kid`, from `parse_jwks`.

    Raises:
        A rule of `hsmpub.identity.refusals`. Whether the token was used before is for the keeper to say.
    """
    signed, header, claims, signature = _take_apart(token)
    _check_header(header)
    name, issuer = _find_issuer(claims, policy)
    key = _find_key(header, name, issuer_keys)
    _check_signature(header["alg"], key, signed, signature)
    expires_at = _check_times(claims, now)
    bound = _check_audience(claims, issuer, client_key)
    subject = _expect(claims, "sub", str)
    if not subject:
        raise rule.TokenMalformed("The identity token names no subject.")
    return CiIdentity(
        issuer=name,
        subject=subject,
        claims=_as_text(claims),
        token_id=_token_id(claims, signed),
        expires_at=expires_at,
        forget_at=expires_at + LEEWAY + 1,
        bound=bound,
    )


def _take_apart(token: bytes) -> tuple[bytes, dict[str, Any], dict[str, Any], bytes]:
    if len(token) > MAX_TOKEN_BYTES:
        raise rule.TokenTooLarge(f"The identity token has {len(token):,} bytes; {MAX_TOKEN_BYTES:,} is the most.")
    parts = token.split(b".")
    if len(parts) != 3:
        raise rule.TokenMalformed("The identity token is not three parts with dots between them.")
    try:
        header, payload, signature = (decode_base64url(part.decode("ascii")) for part in parts)
        return b".".join(parts[:2]), load_strict_object(header), load_strict_object(payload), signature
    except NotStrictJson as e:
        raise rule.TokenMalformed(f"A part of the identity token is {e}.") from None
    except ValueError:
        raise rule.TokenMalformed("A part of the identity token is not base64url in its one form.") from None


def _check_header(header: dict[str, Any]) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        raise rule.TokenUnsigned("The identity token is not signed.")
    if algorithm.upper().startswith("HS"):
        raise rule.TokenAlgorithmSwapped("The identity token uses a shared-secret algorithm, which no issuer here has.")
    if "crit" in header:
        raise rule.TokenMalformed("The identity token demands an extension that is not known here.")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise rule.TokenOfAnotherType("The token is not an identity token.")


def _find_issuer(claims: dict[str, Any], policy: PolicyFile) -> tuple[str, Issuer]:
    url = _expect(claims, "iss", str)
    for name, issuer in policy.issuers.items():
        if issuer.url == url:
            return name, issuer
    raise rule.TokenFromUnknownIssuer(f"The identity token comes from {url[:200]!r}, which the policy does not name.")


def _find_key(header: dict[str, Any], issuer: str, issuer_keys: Mapping[str, IssuerKeySet]) -> IssuerKey:
    known = issuer_keys.get(issuer)
    if not known:
        raise rule.IssuerKeysMissing(f"The signing keys of issuer {issuer!r} are not known yet.")
    kid = header.get("kid")
    key = known.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise rule.TokenKeyUnknown(f"The identity token names a key that issuer {issuer!r} is not known to have.")
    return key


def _check_signature(algorithm: str, key: IssuerKey, signed: bytes, signature: bytes) -> None:
    if algorithm not in key.algorithms:
        raise rule.TokenAlgorithmSwapped("The identity token names an algorithm that its key is not for.")
    try:
        match key.public:
            case Ed25519PublicKey():
                key.public.verify(signature, signed)
            case ec.EllipticCurvePublicKey():
                size = (key.public.key_size + 7) // 8
                if len(signature) != 2 * size:
                    raise InvalidSignature
                r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
                digest = SHA256() if size == 32 else SHA384()
                key.public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
            case rsa.RSAPublicKey() if algorithm == "PS256":
                pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)
                key.public.verify(signature, signed, pss, SHA256())
            case rsa.RSAPublicKey():
                key.public.verify(signature, signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise rule.TokenForged("The signature of the identity token is not the issuer's.") from None


def _check_times(claims: dict[str, Any], now: int) -> int:
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


def _check_audience(claims: dict[str, Any], issuer: Issuer, client_key: bytes) -> bool:
    """True when the audience names the session's key."""
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


def _as_text(claims: dict[str, Any]) -> dict[str, str]:
    """Texts as they are, whole numbers in decimal, true and false as words; lists, tables and fractions left out."""
    shown: dict[type, Callable[[Any], str]] = {str: str, int: str, bool: lambda v: "true" if v else "false"}
    return {
        name: shown[type(value)](value)
        for name, value in claims.items()
        if name not in REGISTERED and type(value) in shown
    }


def _token_id(claims: dict[str, Any], signed: bytes) -> str:
    """SHA-256 (hex) over issuer and `jti`; without `jti`, over what was signed, since a signature can be varied."""
    issuer = claims["iss"].encode()
    if "jti" not in claims:
        return hashlib.sha256(b"signed\0" + issuer + b"\0" + signed).hexdigest()
    jti = _expect(claims, "jti", str)
    return hashlib.sha256(b"jti\0" + issuer + b"\0" + jti.encode()).hexdigest()


def _expect(claims: dict[str, Any], name: str, kind: type[T]) -> T:
    value = claims.get(name)
    if not isinstance(value, kind):
        raise rule.TokenMalformed(f"The identity token has no proper {name!r}.")
    return value
