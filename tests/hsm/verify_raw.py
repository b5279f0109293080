"""Verification of raw signatures for tests, from the message up and not from its digest."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hsmpub.model.key import KeyRecord


def check_raw(key: KeyRecord, signature: bytes, message: bytes, hash_name: str = "sha256") -> None:
    """Raises cryptography's InvalidSignature."""
    public = load_pem_public_key(key.public.encode())
    hashed = SHA512() if hash_name == "sha512" else SHA256()
    if isinstance(public, ec.EllipticCurvePublicKey):
        der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        public.verify(der, message, ec.ECDSA(hashed))
    elif isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, message, padding.PKCS1v15(), hashed)
    else:
        assert isinstance(public, ed25519.Ed25519PublicKey)
        public.verify(signature, message)
