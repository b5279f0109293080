"""A public key object of a token as SubjectPublicKeyInfo."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType

from hsmpub.hsm.objects import TokenKey
from hsmpub.hsm.rules import KeyUnfit

P256_PARAMETERS = bytes.fromhex("06082a8648ce3d030107")  # OID 1.2.840.10045.3.1.7
#: OID 1.3.101.112 (RFC 8410) and the PrintableString "edwards25519" that SoftHSM writes (PKCS#11 3.0, 2.3.5).
ED25519_PARAMETERS = bytes.fromhex("06032b6570")
_ED25519_NAMES = (ED25519_PARAMETERS, b"\x13\x0cedwards25519")


def public_pem(public: TokenKey) -> str:
    """SubjectPublicKeyInfo in PEM of an RSA, P-256 or Ed25519 public key object.

    Raises:
        KeyUnfit: another kind of key or another curve.
    """
    key = _load(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _load(public: TokenKey) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    if public.key_type == KeyType.RSA:
        exponent = int.from_bytes(public[Attribute.PUBLIC_EXPONENT], "big")
        return rsa.RSAPublicNumbers(exponent, int.from_bytes(public[Attribute.MODULUS], "big")).public_key()
    parameters, point = public[Attribute.EC_PARAMS], public[Attribute.EC_POINT]
    if public.key_type == KeyType.EC and parameters == P256_PARAMETERS:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])
    if public.key_type == KeyType.EC_EDWARDS and parameters in _ED25519_NAMES:
        return ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
    raise KeyUnfit("A public key in the token is neither RSA nor P-256 nor Ed25519.")
