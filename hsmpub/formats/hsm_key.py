"""Keys in the HSM as the builders of the cryptography library want them: they sign, and can do nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from hsmpub.errors import Broken
from hsmpub.formats.public_key import load_public
from hsmpub.formats.purposes import KeyKindUnfit
from hsmpub.model.key import KeyRecord

#: Signs a SHA-256 digest with the key in the HSM: raw r‖s, or PKCS#1 v1.5.
SignDigest = Callable[[bytes], bytes]


class KeySignsOtherwise(Broken):
    advice = "Have it signed with SHA-256, RSA as PKCS#1 v1.5: the HSM's keys do nothing else."


def _check_sha256(algorithm: object) -> None:
    """Whoever asks for something else would get a signature that nobody verifies. Raises KeySignsOtherwise."""
    if not isinstance(algorithm, SHA256):
        raise KeySignsOtherwise("A key of the HSM was asked to sign with another hash.")


def _stays(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError("the private key stays in the HSM")


class HsmEcKey(ec.EllipticCurvePrivateKey):
    """Signs through the HSM, and does nothing else."""

    def __init__(self, public: ec.EllipticCurvePublicKey, sign: SignDigest) -> None:
        self._public, self._sign = public, sign

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        _check_sha256(signature_algorithm.algorithm)
        raw = self._sign(hashlib.sha256(data).digest())
        half = len(raw) // 2
        return utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    exchange = private_numbers = private_bytes = __copy__ = __deepcopy__ = _stays


class HsmRsaKey(rsa.RSAPrivateKey):
    """As HsmEcKey."""

    def __init__(self, public: rsa.RSAPublicKey, sign: SignDigest) -> None:
        self._public, self._sign = public, sign

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        _check_sha256(algorithm)
        if not isinstance(padding, PKCS1v15):
            raise KeySignsOtherwise("A key of the HSM was asked to sign with another padding.")
        return self._sign(hashlib.sha256(data).digest())

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    decrypt = private_numbers = private_bytes = __copy__ = __deepcopy__ = _stays


def hsm_key(key: KeyRecord, sign: SignDigest) -> HsmEcKey | HsmRsaKey:
    """The key of a record, for the builders. Raises KeyKindUnfit: no X.509 is made with keys of its kind."""
    public = load_public(key)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return HsmEcKey(public, sign)
    if isinstance(public, rsa.RSAPublicKey):
        return HsmRsaKey(public, sign)
    raise KeyKindUnfit(f"No X.509 is made with a {key.kind} key; {key.name!r} is one.")
