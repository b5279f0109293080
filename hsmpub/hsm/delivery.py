"""Inside the throw-away token: generate, show the public half, wrap the rest. Objects are of the session only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag

from hsmpub.hsm.config import BornKey, KeySpec
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.public import ED25519_PARAMETERS, P256_PARAMETERS, public_pem
from hsmpub.hsm.template import Template, wrapping_key
from hsmpub.model.key import DECRYPTS, KeyKind
from hsmpub.secret.page import SecretPage

#: PrivateKeyInfo of an Ed25519 key without its 32-byte seed, which follows. Source: RFC 8410, section 7.
ED25519_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")

_EXTRACTABLE: Template = {
    Attribute.TOKEN: False,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: True,
}


def bear_in_token(session: Session, specs: Sequence[KeySpec], key: SecretPage) -> Iterator[BornKey]:
    """Generates each key in turn and gives it away wrapped under `key` (32 bytes)."""
    raw = bytes(key.view)  # both wrappers want bytes; this process ends with the chore
    wrapper = wrapping_key(session, raw)
    for spec in specs:
        if spec.kind == "aes256":
            yield BornKey(spec.name, spec.kind, "", _wrap(wrapper, _aes256(session)))
        elif spec.kind == "ed25519":
            public, seed = _ed25519(session)
            wrapped = aes_key_wrap_with_padding(raw, ED25519_PKCS8 + seed)
            yield BornKey(spec.name, spec.kind, public_pem(public), wrapped)
        else:
            public, private = _pair(session, spec.kind)
            yield BornKey(spec.name, spec.kind, public_pem(public), _wrap(wrapper, private))


def _wrap(wrapper: TokenKey, key: TokenKey) -> bytes:
    wrapped: bytes = wrapper.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP_PAD)
    return wrapped


def _aes256(session: Session) -> TokenKey:
    return session.generate_key(KeyType.AES, 256, capabilities=MechanismFlag(0), template=_EXTRACTABLE)


def _pair(session: Session, kind: KeyKind) -> Any:
    """Public and private key that the token wraps itself."""
    if kind != "p256":
        use = MechanismFlag.DECRYPT if kind == DECRYPTS else MechanismFlag.SIGN
        return session.generate_keypair(KeyType.RSA, 3072, capabilities=use, private_template=_EXTRACTABLE)
    curve = {Attribute.EC_PARAMS: P256_PARAMETERS}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    return parameters.generate_keypair(capabilities=MechanismFlag.SIGN, private_template=_EXTRACTABLE)


def _ed25519(session: Session) -> tuple[TokenKey, bytes]:
    """SoftHSM 2.6.1 does not wrap these, so the seed is read from the throw-away token."""
    curve = {Attribute.EC_PARAMS: ED25519_PARAMETERS}
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, curve, local=True)
    public, private = parameters.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        capabilities=MechanismFlag.SIGN,
        private_template={**_EXTRACTABLE, Attribute.SENSITIVE: False},
    )
    return public, private[Attribute.VALUE]
