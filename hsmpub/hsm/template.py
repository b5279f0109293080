"""What each kind of key may do in the token: its own mechanism, and nothing else.

python-pkcs11's defaults are too broad (an RSA key would decrypt and unwrap), so every attribute is said.
"""

from __future__ import annotations

import struct
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.attributes import AttributeMapper
from pkcs11.constants import DEFAULT

from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.model.key import DECRYPTS, KeyKind

Template = dict[Attribute, Any]

KEY_TYPES: dict[KeyKind, KeyType] = {
    "p256": KeyType.EC,
    "rsa3072": KeyType.RSA,
    "rsa3072-decrypt": KeyType.RSA,
    "ed25519": KeyType.EC_EDWARDS,
    "aes256": KeyType.AES,
}
MECHANISMS: dict[KeyKind, Mechanism] = {
    "p256": Mechanism.ECDSA,
    "rsa3072": Mechanism.RSA_PKCS,
    "rsa3072-decrypt": Mechanism.RSA_X_509,  # unpadded here: SoftHSM's OAEP knows SHA-1 only
    "ed25519": Mechanism.EDDSA,
    "aes256": Mechanism.AES_GCM,
}
_PRIVATE_USAGES = (
    Attribute.SIGN, Attribute.SIGN_RECOVER, Attribute.DECRYPT, Attribute.UNWRAP, Attribute.DERIVE,
)  # fmt: skip
_SECRET_USAGES = (
    Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.SIGN, Attribute.VERIFY, Attribute.WRAP, Attribute.UNWRAP,
    Attribute.DERIVE,
)  # fmt: skip


def attribute_mapper() -> AttributeMapper:
    """A mapper that knows CKA_ALLOWED_MECHANISMS, an array of CK_ULONG, which python-pkcs11 leaves out."""
    mapper = AttributeMapper()
    mapper.register_handler(
        Attribute.ALLOWED_MECHANISMS,
        lambda mechanisms: struct.pack(f"@{len(mechanisms)}L", *mechanisms),
        lambda raw: struct.unpack(f"@{len(raw) // struct.calcsize('@L')}L", raw),
    )
    return mapper


def usages(kind: KeyKind) -> dict[Attribute, bool]:
    """Every usage attribute of the private or secret key, with the value it must have."""
    if kind == "aes256":
        allowed = {Attribute.ENCRYPT, Attribute.DECRYPT}
        return {usage: usage in allowed for usage in _SECRET_USAGES}
    own = Attribute.DECRYPT if kind == DECRYPTS else Attribute.SIGN
    return {usage: usage == own for usage in _PRIVATE_USAGES}


def custody(kind: KeyKind, *, pin_mechanism: bool, forbid_copies: bool = True) -> Template:
    """The attributes of a key that stays: it never leaves, does one thing, and cannot be changed or copied.

    `MODIFIABLE` comes last: SoftHSM 2.6.1 refuses every attribute after it.

    Args:
        pin_mechanism: say CKA_ALLOWED_MECHANISMS, which some modules do not know.
        forbid_copies: say CKA_COPYABLE, which modules before PKCS#11 2.30 do not know.
    """
    template: Template = {
        Attribute.TOKEN: True,
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        **usages(kind),
    }
    if pin_mechanism:
        template[Attribute.ALLOWED_MECHANISMS] = (MECHANISMS[kind],)
    if forbid_copies:
        template[Attribute.COPYABLE] = False
    return {**template, Attribute.MODIFIABLE: False}


def unwrapping(kind: KeyKind, template: Template) -> dict[str, Any]:
    """`template` as arguments of `unwrap_key`, without the usages that it would add for another class of key."""
    wanted = usages(kind)
    added = (
        Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.WRAP, Attribute.UNWRAP, Attribute.SIGN, Attribute.VERIFY,
        Attribute.DERIVE,
    )  # fmt: skip
    foreign = {usage: DEFAULT for usage in added if usage not in wanted}
    return {
        "object_class": ObjectClass.SECRET_KEY if kind == "aes256" else ObjectClass.PRIVATE_KEY,
        "key_type": KEY_TYPES[kind],
        "mechanism": Mechanism.AES_KEY_WRAP_PAD,
        "capabilities": MechanismFlag(0),
        "store": True,
        "template": {**foreign, **template},
    }


def wrapping_key(session: Session, raw: bytes) -> TokenKey:
    """The ceremony's wrapping key as an object of this session only. raw: 32 bytes."""
    key: TokenKey = session.create_object({
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.VALUE: raw,
        Attribute.TOKEN: False,
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.ENCRYPT: False,
        Attribute.DECRYPT: False,
        Attribute.WRAP: True,
        Attribute.UNWRAP: True,
    })  # fmt: skip
    return key
