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

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from hsmpub.identity import refusals as rule
from hsmpub.identity.ci import CiIdentity
from hsmpub.identity.claims import LEEWAY, as_text, check_audience, check_times, expect, token_id
from hsmpub.identity.jwks import IssuerKey, IssuerKeySet, decode_base64url
from hsmpub.identity.pinned import PinnedIssuer
from hsmpub.model.strict_json import NotStrictJson, load_strict_object

MAX_TOKEN_BYTES = 16 * 1024


def verify_token(
    token: bytes,
    *,
    client_key: bytes,
    issuers: Mapping[str, PinnedIssuer],
    issuer_keys: Mapping[str, IssuerKeySet],
    now: int,
) -> CiIdentity:
    """The identity that a token proves, at `now` (seconds since 1970), for a session of `client_key`.

    Args:
        token: as sent: `header.payload.signature`.
        client_key: raw X25519 public key of the session, 32 bytes, which the audience must name.
        issuers: by their names in the policy; there are no others.
        issuer_keys: name of the issuer → keys by `kid`, from `parse_jwks`.

    Raises:
        A rule of `hsmpub.identity.refusals`. Whether the token was used before is for the keeper to say.
    """
    signed, header, claims, signature = _take_apart(token)
    _check_header(header)
    name, issuer = _find_issuer(claims, issuers)
    key = _find_key(header, name, issuer_keys)
    _check_signature(header["alg"], key, signed, signature)
    expires_at = check_times(claims, now)
    bound = check_audience(claims, issuer, client_key)
    return CiIdentity(
        issuer=name,
        subject=expect(claims, "sub", str),
        claims=as_text(claims),
        token_id=token_id(claims, signed),
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


def _find_issuer(claims: dict[str, Any], issuers: Mapping[str, PinnedIssuer]) -> tuple[str, PinnedIssuer]:
    url = expect(claims, "iss", str)
    for name, issuer in issuers.items():
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
