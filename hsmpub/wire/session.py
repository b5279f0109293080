"""A CI session: a MAC key that only the CI job and the keeper know, although the front carries every byte.

The job makes an X25519 key and asks its issuer for a token whose audience names that key:
`<audience>#<base64url SHA-256 of the key>`. A front that replaces the key holds a token that does not fit;
a front that keeps the key cannot compute the MAC. So a stolen token signs nothing.
Each request carries a counter, used once, and HMAC-SHA256 over counter and body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SESSION_CONTEXT = b"hsmpub session v1"


def bound_audience(audience: str, client_key: bytes) -> str:
    """The audience that a token bound to this session key (raw X25519, 32 bytes) must carry."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(client_key).digest()).rstrip(b"=").decode()
    return f"{audience}#{digest}"


def session_mac_key(private: X25519PrivateKey, peer: bytes, *, session: bytes, client_key: bytes,
                    keeper_key: bytes) -> bytes:  # fmt: skip
    """32 bytes, the same on both sides. Source: RFC 7748, RFC 5869."""
    shared = private.exchange(X25519PublicKey.from_public_bytes(peer))
    info = SESSION_CONTEXT + client_key + keeper_key
    return HKDF(SHA256(), 32, salt=session, info=info).derive(shared)


def request_mac(key: bytes, counter: int, body: bytes) -> bytes:
    """HMAC-SHA256 of one request: 32 bytes over counter (8 bytes big-endian) and the body's exact bytes."""
    return hmac.digest(key, SESSION_CONTEXT + counter.to_bytes(8, "big") + body, "sha256")


class RequestMac:
    """As `request_mac`, for whoever has many of one key: what key and context come to is worked out once."""

    __slots__ = ("_begun",)

    def __init__(self, key: bytes) -> None:
        self._begun = HMAC(key, SHA256())  # hmac's own takes half as long again for each copy
        self._begun.update(SESSION_CONTEXT)

    def of(self, counter: int, body: bytes) -> bytes:
        mac = self._begun.copy()
        mac.update(counter.to_bytes(8, "big") + body)
        return mac.finalize()


def answer_info(session: bytes, request: str, name: str) -> bytes:
    """What the box of an answer (hsmpub.secret.box, to the session's key) is bound to: session, request, file."""
    return b"\0".join((SESSION_CONTEXT + b" answer", session, request.encode(), name.encode()))


def check_session_signature(keeper_key: bytes, signature: bytes, *, session: bytes, client_key: bytes,
                            session_key: bytes) -> None:  # fmt: skip
    """Raises cryptography's InvalidSignature when the pinned keeper did not open this session."""
    Ed25519PublicKey.from_public_bytes(keeper_key).verify(
        signature, SESSION_CONTEXT + session + client_key + session_key
    )
