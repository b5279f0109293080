"""A key of the service as an OpenPGP version 6 public key: its packet and fingerprint.

Source: RFC 9580, 5.5.2.3 (version 6), 5.5.5 (material), 5.5.4.3 (fingerprint).
"""

from __future__ import annotations

import functools
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.formats.openpgp.key import algorithm, key_body
from hsmpub.formats.public_key import load_public
from hsmpub.model.key import KeyRecord

#: Of RFC 9580: 32 bytes of key, 64 of signature, no numbers with their lengths.
ED25519 = 27


@functools.lru_cache(maxsize=256)
def v6_key_body(key: KeyRecord) -> bytes:
    """Body of the public-key packet. The creation time is part of it, and so of the fingerprint.

    Raises:
        KeyKindUnfit.
    """
    time = key.created_at.to_bytes(4, "big")
    public = load_public(key)
    # after version, time and algorithm, numbers are as version 4 has them
    material = public.public_bytes_raw() if isinstance(public, Ed25519PublicKey) else key_body(key)[6:]
    return b"\x06" + time + bytes((v6_algorithm(key),)) + len(material).to_bytes(4, "big") + material


@functools.lru_cache(maxsize=256)
def v6_fingerprint(key: KeyRecord) -> bytes:
    """Raw, 32 bytes; its first 8 are the key id."""
    return hashlib.sha256(v6_framed_key(key)).digest()


def v6_framed_key(key: KeyRecord) -> bytes:
    """The key as certifications and fingerprints hash it."""
    body = v6_key_body(key)
    return b"\x9b" + len(body).to_bytes(4, "big") + body


def v6_algorithm(key: KeyRecord) -> int:
    return ED25519 if key.kind == "ed25519" else algorithm(key)
