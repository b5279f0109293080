"""Inside the production token: unwrap born keys, prove what they are, or remove them again."""

from __future__ import annotations

from collections.abc import Sequence

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pkcs11 import Attribute, KeyType, ObjectClass

from hsmpub.hsm.by_value import EDWARDS25519, values
from hsmpub.hsm.config import BornKey
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.proof import check_custody
from hsmpub.hsm.public import P256_PARAMETERS
from hsmpub.hsm.rules import KeyExists, KeyUnfit, ModuleUnfit
from hsmpub.hsm.template import Template, custody, unwrapping, wrapping_key
from hsmpub.model.key import DECRYPTS
from hsmpub.secret.page import SecretPage

#: How modules say that they know no such attribute, or no such way to take a key in.
_CANNOT = (
    pkcs11.AttributeTypeInvalid, pkcs11.AttributeValueInvalid, pkcs11.AttributeReadOnly, pkcs11.TemplateInconsistent,
    pkcs11.TemplateIncomplete, pkcs11.MechanismInvalid, pkcs11.MechanismParamInvalid, pkcs11.FunctionNotSupported,
    pkcs11.KeyTypeInconsistent,
)  # fmt: skip


def import_into_token(cryptoki: Cryptoki, session: Session, born: Sequence[BornKey], key: SecretPage) -> dict[str, str]:
    """Takes every key in, or none. See `hsmpub.hsm.custody.import_keys`."""
    for one in born:
        if list(session.get_objects({Attribute.LABEL: one.name})):
            raise KeyExists(f"The token already has an object named {one.name!r}.")
    raw = bytes(key.view)
    try:
        wrapper = wrapping_key(session, raw)
    except _CANNOT as error:
        raise _not_taken(error) from error
    made: list[TokenKey] = []
    notes: dict[str, str] = {}
    try:
        for one in born:
            private, notes[one.name] = _take_in(session, wrapper, raw, one)
            made.append(private)
            if one.kind != "aes256":
                made.append(_show_public(session, one))
            check_custody(cryptoki, session, wrapper, private, one, pinned=notes[one.name] == PINNED)
    except BaseException:
        for found in made:
            found.destroy()
        raise
    return notes


PINNED = "pinned to its mechanism"
#: note → mechanism pinned, copies forbidden by attribute; the proof tries both, whatever the attributes say.
_LADDER = {
    PINNED: (True, True),
    "this module cannot pin a key to its mechanism": (False, True),
    "this module cannot pin a key to its mechanism, nor forbid a copy with another use": (False, False),
}


def _take_in(session: Session, wrapper: TokenKey, raw: bytes, one: BornKey) -> tuple[TokenKey, str]:
    """One key with its mechanism pinned, or without where the module knows no CKA_ALLOWED_MECHANISMS; unwrapped inside,
    or created by value where the module does not unwrap it."""
    named = {Attribute.LABEL: one.name, Attribute.ID: one.name.encode()}
    refused: Exception | None = None
    for make in _unwrapped, _created:
        for note, (pinned, forbid) in _LADDER.items():
            try:
                template = custody(one.kind, pin_mechanism=pinned, forbid_copies=forbid)
                return make(session, wrapper, raw, one, {**named, **template}), note
            except (*_CANNOT, *_UNWRAP_TROUBLE) as error:  # the bytes or the module: `values` tells which
                refused = error
    raise _not_taken(refused) from refused


def _not_taken(error: Exception | None) -> ModuleUnfit:
    return ModuleUnfit(f"The module takes no key that was born outside ({type(error).__name__}).")


def _unwrapped(session: Session, wrapper: TokenKey, raw: bytes, one: BornKey, template: Template) -> TokenKey:
    if one.kind == "ed25519":
        raise pkcs11.MechanismInvalid  # SoftHSM 2.6.1 cannot unwrap these, and says so in many ways
    return wrapper.unwrap_key(key_data=one.wrapped, **unwrapping(one.kind, template))


def _created(session: Session, wrapper: TokenKey, raw: bytes, one: BornKey, template: Template) -> TokenKey:
    return session.create_object({**values(one, raw), **template})


_UNWRAP_TROUBLE = (
    pkcs11.WrappedKeyInvalid, pkcs11.WrappedKeyLenRange, pkcs11.GeneralError, pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange, pkcs11.FunctionFailed,
)  # fmt: skip


def _show_public(session: Session, one: BornKey) -> TokenKey:
    """The public half beside the private one, for tools that look for it; nothing here relies on it."""
    template: Template = {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
        Attribute.LABEL: one.name,
        Attribute.ID: one.name.encode(),
        Attribute.TOKEN: True,
        Attribute.PRIVATE: False,
        Attribute.ENCRYPT: one.kind == DECRYPTS,
        Attribute.WRAP: False,
        Attribute.VERIFY: one.kind != DECRYPTS,
    }
    return session.create_object({**template, **_public_values(one)})


def _public_values(one: BornKey) -> Template:
    key = load_pem_public_key(one.public_pem.encode())
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.MODULUS: numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"),
            Attribute.PUBLIC_EXPONENT: numbers.e.to_bytes(3, "big"),
        }
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        point_bytes = b"\x04" + point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
        return _curve(KeyType.EC, P256_PARAMETERS, point_bytes)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _curve(KeyType.EC_EDWARDS, EDWARDS25519, key.public_bytes_raw())
    raise KeyUnfit(f"The public key of {one.name!r} is of no known kind.")


def _curve(key_type: KeyType, parameters: bytes, point: bytes) -> Template:
    octets = bytes([4, len(point)]) + point  # a DER OCTET STRING of less than 128 bytes
    return {Attribute.KEY_TYPE: key_type, Attribute.EC_PARAMS: parameters, Attribute.EC_POINT: octets}
