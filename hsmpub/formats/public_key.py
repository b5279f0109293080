"""Public keys as the formats need them, and the one place where a raw HSM signature is verified.

The HSM gives ECDSA as r‖s (64 bytes for P-256), RSA as PKCS#1 v1.5 over the DigestInfo of the hash, and
Ed25519 as 64 bytes.
"""

from __future__ import annotations

import functools
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.format import SIGNATURE_BYTES, Claim, HashName
from hsmpub.model.key import DECRYPTS, KeyRecord

PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey

_HASHES = {"sha256": utils.Prehashed(SHA256()), "sha512": utils.Prehashed(SHA512())}


class PublicKeyUnfit(Broken):
    advice = "The key's record and its public key differ: compare the record with the genesis transcript."


class SignatureDoesNotVerify(Invalid):
    advice = "It was made by another key, for another file, or was altered: do not trust it."


def load_public(key: KeyRecord) -> PublicKey:
    """The public key of a record, parsed once.

    Raises:
        PublicKeyUnfit: not the kind that the record says.
    """
    return _load_public(key.public, key.kind)


@functools.lru_cache(maxsize=256)
def _load_public(pem: str, kind: str) -> PublicKey:
    """A decryption key is refused here: nothing that it could be said to have signed counts."""
    try:
        public = load_pem_public_key(pem.encode())
    except ValueError:
        raise PublicKeyUnfit("A key's record holds no public key in PEM.") from None
    if kind == "p256" and isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return public
    if kind == "rsa3072" and isinstance(public, RSAPublicKey) and public.key_size == 3072:
        return public
    if kind == "ed25519" and isinstance(public, Ed25519PublicKey):
        return public
    raise PublicKeyUnfit(f"The public key of a record is no {kind} key.")


@functools.lru_cache(maxsize=256)
def load_encryption_key(key: KeyRecord) -> RSAPublicKey:
    """What to encrypt to, of the record of a decryption key.

    Raises:
        PublicKeyUnfit: the record is of another kind.
    """
    try:
        public = load_pem_public_key(key.public.encode()) if key.kind == DECRYPTS else None
    except ValueError:
        public = None
    if not isinstance(public, RSAPublicKey) or public.key_size != 3072:
        raise PublicKeyUnfit(f"The key {key.name!r} is no decryption key.")
    return public


@functools.lru_cache(maxsize=256)
def spki_sha256(pem: str) -> bytes:
    """SHA-256 over the DER SubjectPublicKeyInfo, raw, 32 bytes: names a key where a format has no fingerprint."""
    der = load_pem_public_key(pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()


def check_claim(claim: Claim, key: KeyRecord) -> None:
    """Verifies what `Format.read` found, and what that covers, against the pinned public key.

    Raises:
        SignatureDoesNotVerify.
    """
    public = load_public(key)
    try:
        for payload, signature in _items(claim, key):
            _verify(public, payload, signature, claim.hash)
    except (InvalidSignature, ValueError, KeyError):
        raise SignatureDoesNotVerify(f"The signature is not one of the key {key.name!r} over this file.") from None
    if claim.after is not None:
        check_claim(claim.after, key)


def _items(claim: Claim, key: KeyRecord) -> list[tuple[bytes, bytes]]:
    """Payload and signature of each that a claim holds; usually that is one. Raises ValueError."""
    size = SIGNATURE_BYTES[key.kind]
    count, rest = divmod(len(claim.signature), size)
    if rest or not count or len(claim.payload) % count:
        raise ValueError("a claim of another shape than its key's")
    step = len(claim.payload) // count
    return [
        (claim.payload[i * step : (i + 1) * step], claim.signature[i * size : (i + 1) * size]) for i in range(count)
    ]


def _verify(public: PublicKey, payload: bytes, signature: bytes, hash_name: HashName) -> None:
    """Raises InvalidSignature, ValueError, KeyError."""
    if isinstance(public, EllipticCurvePublicKey):
        r, s = signature[:32], signature[32:]
        der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        public.verify(der, payload, ec.ECDSA(_HASHES[hash_name]))
    elif isinstance(public, RSAPublicKey):
        public.verify(signature, payload, padding.PKCS1v15(), _HASHES[hash_name])
    else:
        public.verify(signature, payload)
