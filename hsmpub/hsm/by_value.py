"""Keys as values, for tokens that do not unwrap them: opened in this short-lived process and created in the token.

SoftHSM 2.6.1 neither wraps nor unwraps Ed25519 keys; opencryptoki's soft token and p11-kit's remoting know no AES key
wrap at all. The values are in this process as they are in SoftHSM's when the keys are born, and end with it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key
from pkcs11 import Attribute, KeyType, ObjectClass

from hsmpub.hsm.config import BornKey
from hsmpub.hsm.public import P256_PARAMETERS
from hsmpub.hsm.rules import WrappingRefused
from hsmpub.hsm.template import Template

#: The curve as SoftHSM writes it; it takes the OID for generating but stores this. Source: PKCS#11 3.0, 2.3.5.
EDWARDS25519 = b"\x13\x0cedwards25519"
_AES_BYTES = 32


def values(one: BornKey, wrapping_key: bytes) -> Template:
    """Class, type and value of a born key, for `create_object`.

    Raises:
        WrappingRefused: another wrapping key, altered bytes, or another kind of key.
    """
    try:
        plain = aes_key_unwrap_with_padding(wrapping_key, one.wrapped)
        if one.kind == "aes256":
            return _aes(plain)
        return _private(load_der_private_key(_without_padding(plain), None))
    except (InvalidUnwrap, ValueError, IndexError) as error:
        raise WrappingRefused(f"The wrapped key {one.name!r} does not unwrap.") from error


def _aes(plain: bytes) -> Template:
    if len(plain) != _AES_BYTES:
        raise ValueError("no AES-256 key")
    return {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: plain}


def _private(key: object) -> Template:
    head: Template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        curve = {Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.EC_PARAMS: EDWARDS25519}
        return {**head, **curve, Attribute.VALUE: key.private_bytes_raw()}
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        value = key.private_numbers().private_value.to_bytes(32, "big")
        curve = {Attribute.KEY_TYPE: KeyType.EC, Attribute.EC_PARAMS: P256_PARAMETERS}
        return {**head, **curve, Attribute.VALUE: value}
    if isinstance(key, rsa.RSAPrivateKey):
        return {**head, Attribute.KEY_TYPE: KeyType.RSA, **_rsa(key.private_numbers())}
    raise ValueError("no kind of key that is known here")


def _rsa(numbers: rsa.RSAPrivateNumbers) -> Template:
    parts = {
        Attribute.MODULUS: numbers.public_numbers.n,
        Attribute.PUBLIC_EXPONENT: numbers.public_numbers.e,
        Attribute.PRIVATE_EXPONENT: numbers.d,
        Attribute.PRIME_1: numbers.p,
        Attribute.PRIME_2: numbers.q,
        Attribute.EXPONENT_1: numbers.dmp1,
        Attribute.EXPONENT_2: numbers.dmq1,
        Attribute.COEFFICIENT: numbers.iqmp,
    }
    return {name: number.to_bytes((number.bit_length() + 7) // 8, "big") for name, number in parts.items()}


def _without_padding(pkcs8: bytes) -> bytes:
    """The DER alone: SoftHSM wraps it with up to seven zero bytes behind it."""
    if pkcs8[1] < 0x80:
        return pkcs8[: 2 + pkcs8[1]]
    digits = pkcs8[1] & 0x7F
    return pkcs8[: 2 + digits + int.from_bytes(pkcs8[2 : 2 + digits], "big")]
