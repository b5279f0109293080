"""Fingerprints of public keys, as transcripts have them."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hsmpub.shares.fingerprint import fingerprint_words

__all__ = ["fingerprint_words", "public_key_der"]


def public_key_der(pem: str) -> bytes:
    """SubjectPublicKeyInfo in DER of a PEM public key."""
    return load_pem_public_key(pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
