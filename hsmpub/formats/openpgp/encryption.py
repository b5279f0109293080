"""The OpenPGP certificate to which backups are encrypted: a primary key that only certifies, and the decryption key
as its one subkey. Made once, in the ceremony, with two signatures of the certifying key.

    first, second = prepare_encryption_certificate(certifier, key, "Acme backups <ops@acme.example>", at=at)
    armored = assemble_encryption_certificate((first, hsm.sign(first.payload)), (second, hsm.sign(second.payload)))

The primary is a key of its own and not one that signs releases: who imports the one does not get the other, and a
release key never signs anything but releases. No back-signature: only subkeys that sign need one.
Source: RFC 4880, 5.2.1 (types 0x13 and 0x18), 5.2.3.21 (key flags), 5.2.3.24 (features).
"""

from __future__ import annotations

import hashlib

from hsmpub.formats.format import Prepared
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.certificate import check_user_id
from hsmpub.formats.openpgp.key import framed, framed_key, key_body, rsa_material
from hsmpub.formats.openpgp.signature import (
    POSITIVE_CERTIFICATION,
    SUBKEY_BINDING,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.formats.public_key import load_encryption_key
from hsmpub.model.key import KeyRecord

_MAY_CERTIFY = p.subpacket(p.KEY_FLAGS, b"\x01")
#: Communications (0x04) and storage (0x08).
_MAY_ENCRYPT = p.subpacket(p.KEY_FLAGS, b"\x0c")
#: AES-256, AES-128; and integrity protection (SEIPD version 1).
_PREFERENCES = p.subpacket(p.PREFERRED_CIPHERS, b"\x09\x07") + p.subpacket(p.FEATURES, b"\x01")


def subkey_body(key: KeyRecord) -> bytes:
    """Body of the subkey's packet. Raises PublicKeyUnfit."""
    return b"\x04" + key.created_at.to_bytes(4, "big") + rsa_material(load_encryption_key(key))


def subkey_fingerprint(key: KeyRecord) -> bytes:
    """Version 4 fingerprint, raw, 20 bytes; its last 8 are the key id that encrypted files name."""
    return hashlib.sha1(framed(subkey_body(key)), usedforsecurity=False).digest()


def prepare_encryption_certificate(
    certifier: KeyRecord, key: KeyRecord, user_id: str, *, at: int
) -> tuple[Prepared, Prepared]:
    """What `certifier` signs: that it is called `user_id`, and that `key` is its subkey.

    Args:
        at: time of both signatures, seconds since 1970, not before the keys' own.

    Raises:
        UserIdMalformed, PublicKeyUnfit, KeyKindUnfit.
    """
    check_user_id(user_id)
    name, primary, subkey = user_id.encode(), framed_key(certifier), subkey_body(key)
    called = signature_head(certifier, POSITIVE_CERTIFICATION, at, _MAY_CERTIFY + _PREFERENCES)
    bound = signature_head(certifier, SUBKEY_BINDING, at, _MAY_ENCRYPT)
    name_signed = primary + b"\xb4" + len(name).to_bytes(4, "big") + name + trailer(called)
    subkey_signed = primary + framed(subkey) + trailer(bound)
    first = prepare_signature(hashlib.sha256(name_signed).digest(), called, certifier)
    second = prepare_signature(hashlib.sha256(subkey_signed).digest(), bound, certifier)
    head = p.packet(p.PUBLIC_KEY_TAG, key_body(certifier)) + p.packet(p.USER_ID_TAG, name)
    return (
        Prepared(first.payload, first.hash, first.kind, (*first.parts, head)),
        Prepared(second.payload, second.hash, second.kind, (*second.parts, p.packet(p.PUBLIC_SUBKEY_TAG, subkey))),
    )


def assemble_encryption_certificate(first: tuple[Prepared, bytes], second: tuple[Prepared, bytes]) -> str:
    """The armoured certificate, of what was prepared and the signatures over it. Raises RawSignatureMalformed."""
    packets = b"".join(prepared.parts[2] + assemble_signature(prepared, raw) for prepared, raw in (first, second))
    return p.armor("PUBLIC KEY BLOCK", packets).decode()
