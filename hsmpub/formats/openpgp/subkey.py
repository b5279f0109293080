"""An OpenPGP certificate whose primary key only certifies, and whose one subkey signs, both in the HSM.

    back = prepare_back_signature(primary, key, at=at)
    backed = assemble_back_signature(back, hsm.sign(key.name, back.payload))
    name, bound = prepare_signing_certificate(primary, key, "Acme releases <…>", backed, at=at)
    armored = assemble_signing_certificate((name, hsm.sign(primary.name, …)), (bound, hsm.sign(primary.name, …)))

A subkey can be revoked, expire and be followed by another while those who verify keep the certificate that they pinned:
they know it by the fingerprint of the primary. A signature names the subkey that made it, so the formats make them
with it as with any key. The back-signature is where the subkey agrees; it stands in what the primary signs.
To let a certificate live longer, make it again with a later time and lifetime, and publish it.
Source: RFC 4880, 5.2.1 (types 0x18, 0x19, 0x28), 5.2.3.23, 5.2.3.26, 11.1.
"""

from __future__ import annotations

import hashlib

from hsmpub.errors import Invalid
from hsmpub.formats.format import Prepared
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.certificate import check_user_id
from hsmpub.formats.openpgp.change import REASONS
from hsmpub.formats.openpgp.encryption import subkey_body
from hsmpub.formats.openpgp.key import framed, framed_key, key_body
from hsmpub.formats.openpgp.signature import (
    POSITIVE_CERTIFICATION,
    PRIMARY_KEY_BINDING,
    SUBKEY_BINDING,
    SUBKEY_REVOCATION,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.model.entry import RetirementReason
from hsmpub.model.key import DECRYPTS, KeyRecord

_MAY_CERTIFY = p.subpacket(p.KEY_FLAGS, b"\x01")
_MAY_SIGN = p.subpacket(p.KEY_FLAGS, b"\x02")
_HASHES = p.subpacket(p.PREFERRED_HASHES, bytes((8, 10)))


class PrimaryIsSubkey(Invalid):
    advice = "Name two keys: gpg takes no certificate whose primary key is its own subkey."


def prepare_back_signature(primary: KeyRecord, key: KeyRecord, *, at: int) -> Prepared:
    """What `key` signs, to say that it is a subkey of `primary`. at: seconds since 1970, not before either's own time.

    Raises:
        KeyKindUnfit, PrimaryIsSubkey.
    """
    if primary.public == key.public:
        raise PrimaryIsSubkey(f"The key {key.name!r} cannot be a subkey of itself.")
    head = signature_head(key, PRIMARY_KEY_BINDING, at)
    return _over(framed_key(primary) + framed_key(key), head, key)


def assemble_back_signature(prepared: Prepared, signature: bytes) -> bytes:
    """The signature as the binding holds it. Raises RawSignatureMalformed."""
    packet = assemble_signature(prepared, signature)
    return packet[2 if packet[1] < 192 else 3 :]


def prepare_signing_certificate(
    primary: KeyRecord,
    key: KeyRecord,
    user_id: str,
    backed: bytes,
    *,
    at: int,
    lifetime: int = 0,
    key_lifetime: int = 0,
) -> tuple[Prepared, Prepared]:
    """What `primary` signs: that it is called `user_id` and certifies, and that `key` is its subkey and signs.

    Args:
        backed: of `assemble_back_signature`.
        at: time of both signatures, seconds since 1970, not before the keys' own.
        lifetime, key_lifetime: seconds after its own creation when primary and subkey expire; 0: never.

    Raises:
        UserIdMalformed, KeyKindUnfit.
    """
    check_user_id(user_id)
    name = user_id.encode()
    called = signature_head(primary, POSITIVE_CERTIFICATION, at, _MAY_CERTIFY + _HASHES + _expiry(lifetime))
    agreed = p.subpacket(p.EMBEDDED_SIGNATURE, backed)
    bound = signature_head(primary, SUBKEY_BINDING, at, _MAY_SIGN + agreed + _expiry(key_lifetime))
    first = _over(framed_key(primary) + b"\xb4" + len(name).to_bytes(4, "big") + name, called, primary)
    second = _over(framed_key(primary) + framed_key(key), bound, primary)
    head = p.packet(p.PUBLIC_KEY_TAG, key_body(primary)) + p.packet(p.USER_ID_TAG, name)
    return _with(first, head), _with(second, p.packet(p.PUBLIC_SUBKEY_TAG, key_body(key)))


def assemble_signing_certificate(first: tuple[Prepared, bytes], second: tuple[Prepared, bytes]) -> str:
    """The armoured certificate, of what was prepared and the signatures over it. Raises RawSignatureMalformed."""
    packets = b"".join(prepared.parts[2] + assemble_signature(prepared, raw) for prepared, raw in (first, second))
    return p.armor("PUBLIC KEY BLOCK", packets).decode()


def prepare_subkey_revocation(
    primary: KeyRecord, key: KeyRecord, reason: RetirementReason, said: str, *, at: int
) -> Prepared:
    """What `primary` signs to say that its subkey `key` is used no more. said: a sentence for people.

    Raises:
        KeyKindUnfit.
    """
    why = p.subpacket(p.REVOCATION_REASON, bytes((REASONS[reason],)) + said.encode())
    head = signature_head(primary, SUBKEY_REVOCATION, at, why)
    body = subkey_body(key) if key.kind == DECRYPTS else key_body(key)
    prepared = _over(framed_key(primary) + framed(body), head, primary)
    owner = p.packet(p.PUBLIC_KEY_TAG, key_body(primary)), p.packet(p.PUBLIC_SUBKEY_TAG, body)
    return _with(prepared, b"".join(owner))


def assemble_subkey_revocation(prepared: Prepared, signature: bytes) -> str:
    """The armoured revocation, for `gpg --import` beside the certificate: with both keys, so that it finds its place.

    Raises:
        RawSignatureMalformed.
    """
    return p.armor("PUBLIC KEY BLOCK", prepared.parts[2] + assemble_signature(prepared, signature)).decode()


def _over(signed: bytes, head: bytes, key: KeyRecord) -> Prepared:
    return prepare_signature(hashlib.sha256(signed + trailer(head)).digest(), head, key)


def _with(prepared: Prepared, part: bytes) -> Prepared:
    return Prepared(prepared.payload, prepared.hash, prepared.kind, (*prepared.parts, part))


def _expiry(lifetime: int) -> bytes:
    return p.subpacket(p.KEY_EXPIRATION, lifetime.to_bytes(4, "big")) if lifetime else b""
