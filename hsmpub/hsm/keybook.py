"""The keys of one logged-in session: handles looked up once, every signature verified before it is returned.

A handle is good for one session of one process. A process never reinitialises its module: when anything
about a handle is wrong, the process ends, and a new one with a new book takes over. So a handle can never
outlive what it was looked up in; and if it did, the signature would not verify.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pkcs11 import Mechanism, ObjectClass

from hsmpub.hsm import gcm
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.messages import SELF_TEST
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.public import public_pem
from hsmpub.hsm.rules import KeyMissing, KeyUnfit, SignatureNotVerified
from hsmpub.model.key import KeyRecord

SignItem = Callable[[bytes], bytes]

#: DigestInfo without the digest. Source: RFC 8017, section 9.2, note 1.
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_HASHES: dict[str, HashAlgorithm] = {"sha256": SHA256(), "sha512": SHA512()}


class KeyBook:
    """Signs with keys of one session.

    Args:
        pins: what each key must be; a signature that does not verify against it is never returned.
        trust_token: for a name without a pin, take the public key that the token holds beside it.
    """

    def __init__(
        self, cryptoki: Cryptoki, session: Session, pins: Sequence[KeyRecord], *, trust_token: bool = False
    ) -> None:
        self._cryptoki = cryptoki
        self._session = session
        self._pins = {pin.name: pin for pin in pins}
        self._trust_token = trust_token
        self._signers: dict[tuple[str, str], SignItem] = {}

    def missing(self) -> tuple[str, ...]:
        """Names of pinned keys that the token does not have now."""
        return tuple(name for name, pin in self._pins.items() if self._find(name, _class_of(pin)) is None)

    def signer(self, key: str, hash_name: str) -> SignItem:
        """The function that signs one item with `key` and verifies what came out.

        Raises:
            KeyMissing: not in the token. KeyUnfit: this kind of key does not sign such items.
        """
        try:
            return self._signers[key, hash_name]
        except KeyError:
            made = self._signers[key, hash_name] = self._make_signer(key, hash_name)
            return made

    def _make_signer(self, key: str, hash_name: str) -> SignItem:
        pin = self._pins.get(key)
        if pin is not None and pin.kind == "aes256":
            if hash_name != SELF_TEST:
                raise KeyUnfit(f"The key {key!r} seals secrets and signs nothing.")
            return self._seal_test(self._handle(key, ObjectClass.SECRET_KEY))
        private = self._handle(key, ObjectClass.PRIVATE_KEY)
        public = load_pem_public_key(self._pinned_public(key, pin).encode())
        if hash_name == SELF_TEST:
            return _self_test(private, public)
        return _sign_and_verify(private, public, hash_name)

    def _pinned_public(self, key: str, pin: KeyRecord | None) -> str:
        if pin is not None:
            return pin.public
        if not self._trust_token:
            raise KeyMissing(f"The key {key!r} is not pinned, so nothing is signed with it.")
        return public_pem(self._handle(key, ObjectClass.PUBLIC_KEY))

    def _handle(self, key: str, object_class: ObjectClass) -> TokenKey:
        found = self._find(key, object_class)
        if found is None:
            raise KeyMissing(f"The token has no key named {key!r}.")
        return found

    def _find(self, key: str, object_class: ObjectClass) -> TokenKey | None:
        wanted = {pkcs11.Attribute.LABEL: key, pkcs11.Attribute.CLASS: object_class}
        found = list(self._session.get_objects(wanted))
        if len(found) > 1:
            raise KeyMissing(f"The token has {len(found)} keys named {key!r}; which one is meant cannot be told.")
        return found[0] if found else None

    def _seal_test(self, handle: TokenKey) -> SignItem:
        def test(_: bytes) -> bytes:
            probe = os.urandom(32)
            sealed = gcm.seal(handle, probe, b"self-test")
            if gcm.unseal(self._cryptoki, self._session.handle, handle.handle, sealed, b"self-test")[:32] != probe:
                raise SignatureNotVerified("The sealing key does not open what it sealed.")
            return b"ok"

        return test


def _class_of(pin: KeyRecord) -> ObjectClass:
    return ObjectClass.SECRET_KEY if pin.kind == "aes256" else ObjectClass.PRIVATE_KEY


def _self_test(private: TokenKey, public: object) -> SignItem:
    """Signs random bytes and forgets the signature: a readiness check leaves nothing that anybody could use."""
    sign = _sign_and_verify(private, public, "none" if isinstance(public, ed25519.Ed25519PublicKey) else "sha256")

    def test(_: bytes) -> bytes:
        sign(os.urandom(32))
        return b"ok"

    return test


def _sign_and_verify(private: TokenKey, public: object, hash_name: str) -> SignItem:
    if isinstance(public, ec.EllipticCurvePublicKey) and hash_name in _HASHES:
        return _ecdsa(private, public, Prehashed(_HASHES[hash_name]))
    if isinstance(public, rsa.RSAPublicKey) and hash_name in _HASHES:
        return _pkcs1(private, public, _DIGEST_INFO[hash_name], Prehashed(_HASHES[hash_name]))
    if isinstance(public, ed25519.Ed25519PublicKey) and hash_name == "none":
        return _eddsa(private, public)
    raise KeyUnfit(f"A key of this kind does not sign items of the form {hash_name!r}.")


def _ecdsa(private: TokenKey, public: ec.EllipticCurvePublicKey, hashed: Prehashed) -> SignItem:
    make, verify, mechanism, algorithm = private.sign, public.verify, Mechanism.ECDSA, ec.ECDSA(hashed)
    half, whole, number = (public.key_size + 7) // 8, (public.key_size + 7) // 8 * 2, int.from_bytes

    def sign(digest: bytes) -> bytes:
        raw: bytes = make(digest, mechanism=mechanism)
        try:
            if len(raw) != whole:
                raise InvalidSignature
            verify(encode_dss_signature(number(raw[:half], "big"), number(raw[half:], "big")), digest, algorithm)
        except InvalidSignature as error:
            raise _not_verified() from error
        return raw

    return sign


def _pkcs1(private: TokenKey, public: rsa.RSAPublicKey, prefix: bytes, hashed: Prehashed) -> SignItem:
    scheme = padding.PKCS1v15()

    def sign(digest: bytes) -> bytes:
        raw: bytes = private.sign(prefix + digest, mechanism=Mechanism.RSA_PKCS)
        try:
            public.verify(raw, digest, scheme, hashed)
        except InvalidSignature as error:
            raise _not_verified() from error
        return raw

    return sign


def _eddsa(private: TokenKey, public: ed25519.Ed25519PublicKey) -> SignItem:
    def sign(message: bytes) -> bytes:
        raw: bytes = private.sign(message, mechanism=Mechanism.EDDSA)
        try:
            public.verify(raw, message)
        except InvalidSignature as error:
            raise _not_verified() from error
        return raw

    return sign


def _not_verified() -> SignatureNotVerified:
    return SignatureNotVerified("The HSM made a signature that does not verify against the pinned public key.")
