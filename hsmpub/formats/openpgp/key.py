"""A key of the service as an OpenPGP version 4 public key: its packet, fingerprint and key id.

Source: RFC 4880, 5.5.2 and 12.2; RFC 6637, section 9 (ECDSA on NIST P-256).
"""

from __future__ import annotations

import functools
import hashlib

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.openpgp.packet import ECDSA, RSA, mpi
from hsmpub.formats.public_key import load_public
from hsmpub.formats.purposes import KeyKindUnfit
from hsmpub.model.key import KeyRecord

_P256_OID = bytes.fromhex("2a8648ce3d030107")


@functools.lru_cache(maxsize=256)
def key_body(key: KeyRecord) -> bytes:
    """Body of the public-key packet. The creation time is part of it, and so of the fingerprint.

    Raises:
        KeyKindUnfit: OpenPGP keys here are RSA or P-256.
    """
    public = load_public(key)
    head = b"\x04" + key.created_at.to_bytes(4, "big")
    if isinstance(public, RSAPublicKey):
        return head + rsa_material(public)
    if isinstance(public, EllipticCurvePublicKey):
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return head + bytes((ECDSA, len(_P256_OID))) + _P256_OID + mpi(point)
    raise KeyKindUnfit(f"The {key.kind} key {key.name!r} cannot be an OpenPGP key here.")


def rsa_material(public: RSAPublicKey) -> bytes:
    """Algorithm and numbers of an RSA key, as they stand in its packet."""
    numbers = public.public_numbers()
    modulus, exponent = (n.to_bytes((n.bit_length() + 7) // 8, "big") for n in (numbers.n, numbers.e))
    return bytes((RSA,)) + mpi(modulus) + mpi(exponent)


def framed_key(key: KeyRecord) -> bytes:
    """The key as certifications and fingerprints hash it."""
    return framed(key_body(key))


def framed(body: bytes) -> bytes:
    """The body of any version 4 key packet, likewise."""
    return b"\x99" + len(body).to_bytes(2, "big") + body


@functools.lru_cache(maxsize=256)
def fingerprint(key: KeyRecord) -> bytes:
    """Version 4 fingerprint, raw, 20 bytes; its last 8 are the key id."""
    return hashlib.sha1(framed_key(key), usedforsecurity=False).digest()


def algorithm(key: KeyRecord) -> int:
    return RSA if key.kind == "rsa3072" else ECDSA
