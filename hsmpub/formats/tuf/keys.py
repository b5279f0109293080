"""The keys that root metadata names, each checked: what is shown by its id is that very key.

Source: TUF specification 1.0, section 4.2.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hsmpub.formats.tuf.canonical import canonical
from hsmpub.formats.tuf.rules import TufKeyRefused

MAX_KEYS = 64
_PAIRS = frozenset({("ed25519", "ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("ecdsa", "ecdsa-sha2-nistp384"),
                    ("rsa", "rsassa-pss-sha256")})  # fmt: skip
_CURVES = {"ecdsa-sha2-nistp256": ec.SECP256R1, "ecdsa-sha2-nistp384": ec.SECP384R1}


class TufKey(msgspec.Struct, frozen=True):
    """id: as metadata and signatures name it, 64 hex characters."""

    id: str
    scheme: str


def read_keys(value: Any) -> dict[str, TufKey]:
    """Id → key. Raises TufKeyRefused: one twice, under a false id, or of a kind that is not known."""
    if not isinstance(value, dict) or not 0 < len(value) <= MAX_KEYS:
        raise TufKeyRefused(f"'keys' is no object of 1 to {MAX_KEYS} keys.")
    publics = [_public_of(key_id, key) for key_id, key in value.items()]
    if len(set(publics)) != len(publics):
        raise TufKeyRefused("The metadata holds one public key under two ids: it would count twice.")
    return {key_id: TufKey(key_id, key["scheme"]) for key_id, key in value.items()}


def _public_of(key_id: str, key: Any) -> bytes:
    """The public half, in one spelling."""
    if not isinstance(key, dict) or set(key) != {"keytype", "scheme", "keyval"}:
        raise TufKeyRefused(f"The key {key_id[:16]!r} has not the members keytype, scheme, keyval alone.")
    kind, scheme, held = key["keytype"], key["scheme"], key["keyval"]
    if not isinstance(held, dict) or set(held) != {"public"} or not isinstance(held["public"], str):
        raise TufKeyRefused(f"The key {key_id[:16]!r} holds something else than one public half.")
    if not isinstance(kind, str) or not isinstance(scheme, str) or (kind, scheme) not in _PAIRS:
        raise TufKeyRefused(f"The key {key_id[:16]!r} is of a kind that is not known here.")
    if hashlib.sha256(canonical(key)).hexdigest() != key_id:
        raise TufKeyRefused(f"The key {key_id[:16]!r} has another id.")
    if kind == "ed25519":
        if not re.fullmatch(r"[0-9a-f]{64}", held["public"]):
            raise TufKeyRefused(f"The key {key_id[:16]!r} is no Ed25519 key in hex.")
        return bytes.fromhex(held["public"])
    return _pem(key_id, scheme, held["public"])


def _pem(key_id: str, scheme: str, text: str) -> bytes:
    try:
        public = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise TufKeyRefused(f"The key {key_id[:16]!r} is no public key in PEM.") from None
    if isinstance(public, ec.EllipticCurvePublicKey):
        fits = scheme in _CURVES and isinstance(public.curve, _CURVES[scheme])
    else:
        fits = isinstance(public, rsa.RSAPublicKey) and scheme.startswith("rsa") and 2048 <= public.key_size <= 8192
    if not fits:
        raise TufKeyRefused(f"The key {key_id[:16]!r} is of another kind than its scheme, or too small.")
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
