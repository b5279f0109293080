"""The keys of one logged-in session: handles looked up once, every signature verified before it is returned.

A handle is good for one session of one process. A process never reinitialises its module: when anything
about a handle is wrong, the process ends, and a new one with a new book takes over. So a handle can never
outlive what it was looked up in; and if it did, the signature would not verify.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pkcs11 import ObjectClass

from hsmpub.hsm import gcm
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.held_key import HeldKey
from hsmpub.hsm.messages import SELF_TEST
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.public import public_pem
from hsmpub.hsm.raw_rsa import opens_own
from hsmpub.hsm.rules import KeyMissing, KeyUnfit, SignatureNotVerified
from hsmpub.hsm.verified import SignAll, sign_all_with
from hsmpub.model.key import DECRYPTS, KeyRecord


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
        self._signers: dict[tuple[str, str], SignAll] = {}
        self._handles = {name: self._find(name, _class_of(pin)) for name, pin in self._pins.items()}

    def missing(self) -> tuple[str, ...]:
        """Names of pinned keys that the token did not have when the book was made."""
        return tuple(name for name, handle in self._handles.items() if handle is None)

    def signer(self, key: str, hash_name: str) -> SignAll:
        """The function that signs a run of items with `key` and verifies what came out.

        Raises:
            KeyMissing: not in the token. KeyUnfit: this kind of key does not sign such items.
        """
        try:
            return self._signers[key, hash_name]
        except KeyError:
            made = self._signers[key, hash_name] = self._make_signer(key, hash_name)
            return made

    def _make_signer(self, key: str, hash_name: str) -> SignAll:
        pin = self._pins.get(key)
        if pin is not None and pin.kind == "aes256":
            if hash_name != SELF_TEST:
                raise KeyUnfit(f"The key {key!r} seals secrets and signs nothing.")
            return self._seal_test(self._handle(key, ObjectClass.SECRET_KEY))
        private = self._handle(key, ObjectClass.PRIVATE_KEY)
        if pin is not None and pin.kind == DECRYPTS:
            if hash_name != SELF_TEST:
                raise KeyUnfit(f"The key {key!r} decrypts and signs nothing.")
            return self._decrypt_test(private, pin)
        public = load_pem_public_key(self._pinned_public(key, pin).encode())
        held = HeldKey(self._cryptoki, self._session, private)
        if hash_name == SELF_TEST:
            return _self_test(held, public)
        if not held.signs:
            raise KeyUnfit(f"The token has the key {key!r} for something else than signing.")
        return sign_all_with(held, public, hash_name)

    def _pinned_public(self, key: str, pin: KeyRecord | None) -> str:
        if pin is not None:
            return pin.public
        if not self._trust_token:
            raise KeyMissing(f"The key {key!r} is not pinned, so nothing is signed with it.")
        return public_pem(self._handle(key, ObjectClass.PUBLIC_KEY))

    def _handle(self, key: str, object_class: ObjectClass) -> TokenKey:
        found = None if object_class == ObjectClass.PUBLIC_KEY else self._handles.get(key)
        if found is None:
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

    def _seal_test(self, handle: TokenKey) -> SignAll:
        def test(items: Sequence[bytes]) -> list[bytes]:
            probe = os.urandom(32)
            sealed = gcm.seal(handle, probe, b"self-test")
            if gcm.unseal(self._cryptoki, self._session.handle, handle.handle, sealed, b"self-test")[:32] != probe:
                raise SignatureNotVerified("The sealing key does not open what it sealed.")
            return [b"ok" for _ in items]

        return test

    def _decrypt_test(self, private: TokenKey, pin: KeyRecord) -> SignAll:
        def test(items: Sequence[bytes]) -> list[bytes]:
            if not opens_own(self._cryptoki, self._session.handle, private.handle, pin.public):
                raise SignatureNotVerified("The decryption key does not open what is encrypted to its public half.")
            return [b"ok" for _ in items]

        return test


def _class_of(pin: KeyRecord) -> ObjectClass:
    return ObjectClass.SECRET_KEY if pin.kind == "aes256" else ObjectClass.PRIVATE_KEY


def _self_test(private: HeldKey, public: object) -> SignAll:
    """Signs random bytes and forgets the signature: a readiness check leaves nothing that anybody could use."""
    sign = sign_all_with(private, public, "none" if isinstance(public, ed25519.Ed25519PublicKey) else "sha256")

    def test(items: Sequence[bytes]) -> list[bytes]:
        sign([os.urandom(32) for _ in items])
        return [b"ok" for _ in items]

    return test
