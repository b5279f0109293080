"""The proofs that a key in the token is the one that was born, and that it cannot leave.

1. Its attributes read back as they were asked for.
2. A signature that it makes verifies against the public key of its birth; an AES key seals and opens; a decryption
   key opens what was encrypted to that public key.
3. Wrapping it, reading its value and giving it another use are refused.
4. Copying it is refused; where the module knows no attribute against copies, a copy cannot be read or leave either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pkcs11
from pkcs11 import Attribute, Mechanism

from hsmpub.errors import HsmpubError
from hsmpub.hsm.config import BornKey
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.keybook import KeyBook
from hsmpub.hsm.messages import SELF_TEST
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.rules import KeyNotProven
from hsmpub.hsm.template import custody
from hsmpub.model.key import KeyRecord


def check_custody(
    cryptoki: Cryptoki,
    session: Session,
    wrapper: TokenKey,
    private: TokenKey,
    born: BornKey,
    *,
    pinned: bool,
) -> None:
    """Raises KeyNotProven, with what failed, unless every proof holds.

    Args:
        wrapper: a key of this session that may wrap; it must not succeed.
        private: the key in the token.
        pinned: its mechanism is to be pinned too.
    """
    _check_attributes(private, born, pinned=pinned)
    pin = KeyRecord(name=born.name, kind=born.kind, public=born.public_pem, created_at=0)
    try:
        KeyBook(cryptoki, session, [pin]).signer(born.name, SELF_TEST)([b""])
    except (HsmpubError, pkcs11.PKCS11Error) as error:
        raise KeyNotProven(f"The key {born.name!r} does not do what its public key promises.") from error
    for mechanism in Mechanism.AES_KEY_WRAP_PAD, Mechanism.AES_KEY_WRAP, Mechanism.AES_ECB:
        _check_refused(born, "wrapped", partial(wrapper.wrap_key, private, mechanism=mechanism))
    _check_refused(born, "read", lambda: private[_SECRET_PART[born.kind]])
    _check_refused(born, "given another use", lambda: private.__setitem__(Attribute.DERIVE, True))
    _check_copies(private, born)


_SECRET_PART = {
    "p256": Attribute.VALUE,
    "rsa3072": Attribute.PRIVATE_EXPONENT,
    "rsa3072-decrypt": Attribute.PRIVATE_EXPONENT,
    "ed25519": Attribute.VALUE,
    "aes256": Attribute.VALUE,
}


def _check_attributes(private: TokenKey, born: BornKey, *, pinned: bool) -> None:
    for attribute, wanted in custody(born.kind, pin_mechanism=pinned).items():
        try:
            found = private[attribute]
        except pkcs11.PKCS11Error:
            found = False  # an attribute that this kind of key does not have grants nothing
        if found != wanted:
            raise KeyNotProven(f"The key {born.name!r} has {attribute.name} {found}, not {wanted}.")


def _check_copies(private: TokenKey, born: BornKey) -> None:
    """Raises KeyNotProven if the key can be copied against its attributes, or into one that could leave the token."""
    changes = [{Attribute.EXTRACTABLE: True}, {Attribute.SENSITIVE: False}]
    for change in [{}, *changes] if _knows(private, Attribute.COPYABLE) else changes:
        _check_refused(born, "copied", partial(private.copy, {Attribute.TOKEN: False, **change}))


def _knows(private: TokenKey, attribute: Attribute) -> bool:
    try:
        private[attribute]
    except pkcs11.PKCS11Error:
        return False
    return True


def _check_refused(born: BornKey, what: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except pkcs11.PKCS11Error:
        return
    raise KeyNotProven(f"The key {born.name!r} could be {what}.")
