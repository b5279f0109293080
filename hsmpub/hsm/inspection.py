"""A second look at keys that have long been in the token: are they still what they were when they came?

A key whose attributes were changed could be copied out; one that was replaced would not sign as the pinned one does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pkcs11
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pkcs11 import Attribute, ObjectClass

from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.keybook import KeyBook
from hsmpub.hsm.messages import SELF_TEST
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.public import public_pem
from hsmpub.hsm.rules import KeyChanged, KeyMissing
from hsmpub.hsm.template import custody
from hsmpub.model.key import KeyRecord


def inspect_keys(cryptoki: Cryptoki, session: Session, pins: Sequence[KeyRecord]) -> bytes:
    """Looks at each pinned key.

    Returns:
        SHA-256 over every attribute that was seen: a later look that gives another one found a change.

    Raises:
        KeyMissing: it is not there, or there are two of its name.
        KeyChanged: it could leave the token or do more than it may, or another public key stands beside it.
        SignatureNotVerified: it is another key than the pinned one.
    """
    book = KeyBook(cryptoki, session, pins)
    seen = hashlib.sha256()
    for pin in pins:
        object_class = ObjectClass.SECRET_KEY if pin.kind == "aes256" else ObjectClass.PRIVATE_KEY
        found = _find(session, pin.name, object_class)
        if not found:
            raise KeyMissing(f"The token has no key named {pin.name!r}.")
        seen.update(_attributes(found[0], pin).encode())
        if pin.kind != "aes256":
            seen.update(_public(session, pin).encode())
        book.signer(pin.name, SELF_TEST)([b""])
    return seen.digest()


def _find(session: Session, name: str, object_class: ObjectClass) -> list[TokenKey]:
    found = list(session.get_objects({Attribute.LABEL: name, Attribute.CLASS: object_class}))
    if len(found) > 1:
        raise KeyMissing(f"The token has {len(found)} objects named {name!r}; which one is meant cannot be told.")
    return found


def _attributes(key: TokenKey, pin: KeyRecord) -> str:
    """What the key's attributes are, as text. CKA_ALLOWED_MECHANISMS counts where the module could pin it."""
    seen = {attribute: _read(key, attribute) for attribute in custody(pin.kind, pin_mechanism=True)}
    for attribute, wanted in custody(pin.kind, pin_mechanism=bool(seen[Attribute.ALLOWED_MECHANISMS])).items():
        found = seen[attribute]
        if found != wanted:
            raise KeyChanged(f"The key {pin.name!r} has {attribute.name} {found}, not {wanted}.")
    return f"{pin.name} {sorted((attribute.name, str(value)) for attribute, value in seen.items())}\n"


def _read(key: TokenKey, attribute: Attribute) -> object:
    try:
        value = key[attribute]
        return tuple(value) if attribute == Attribute.ALLOWED_MECHANISMS else value
    except pkcs11.PKCS11Error:
        return False  # an attribute that this kind of key does not have grants nothing


def _public(session: Session, pin: KeyRecord) -> str:
    """The public object beside the key, where there is one. Nothing relies on it, and nobody has reason to touch it."""
    beside = _find(session, pin.name, ObjectClass.PUBLIC_KEY)
    if not beside:
        return "no public object\n"
    spki = load_pem_public_key(pin.public.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    found = public_pem(beside[0])
    if found.encode() != spki:
        raise KeyChanged(f"The public key that stands beside {pin.name!r} in the token is another one.")
    return found
