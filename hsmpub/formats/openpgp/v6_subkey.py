"""An OpenPGP version 6 certificate whose primary key only certifies, and whose one subkey signs, both in the HSM.

    back = prepare_v6_back_signature(primary, key, salt, at=at)
    backed = assemble_v6_back_signature(back, hsm.sign(key.name, back.payload))
    prepared = prepare_v6_signing_certificate(primary, key, "Acme releases <…>", backed, salts, at=at)
    armored = assemble_v6_signing_certificate(primary, key, prepared, tuple(hsm.sign(primary.name, …) for …))

What it says is what version 4 says (hsmpub.formats.openpgp.subkey), but for the place: what the primary is for, and
until when, stands in a signature over it alone. Keys of both must be of version 6, and so a key that is a subkey in
version 4, too, has another fingerprint there.
Source: RFC 9580, 5.2.1.8, 5.2.1.9 and 5.2.1.12 (binding, back-signature, revocation), 5.2.4 (what is hashed), 5.2.3.34
(embedded signature), 10.1.1 (order of the certificate).
"""

from __future__ import annotations

from hsmpub.formats.format import Prepared
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.certificate import check_user_id
from hsmpub.formats.openpgp.change import REASONS
from hsmpub.formats.openpgp.signature import (
    DIRECT_KEY,
    POSITIVE_CERTIFICATION,
    PRIMARY_KEY_BINDING,
    SUBKEY_BINDING,
    SUBKEY_REVOCATION,
)
from hsmpub.formats.openpgp.subkey import PrimaryIsSubkey
from hsmpub.formats.openpgp.v6_certificate import PREFERENCES, named
from hsmpub.formats.openpgp.v6_key import v6_framed_key, v6_key_body
from hsmpub.formats.openpgp.v6_signature import (
    assemble_v6_body,
    assemble_v6_packet,
    prepare_v6_over,
    v6_head,
)
from hsmpub.model.entry import RetirementReason
from hsmpub.model.key import KeyRecord

_MAY_CERTIFY = p.subpacket(p.KEY_FLAGS, b"\x01")
_MAY_SIGN = p.subpacket(p.KEY_FLAGS, b"\x02")


def prepare_v6_back_signature(primary: KeyRecord, key: KeyRecord, salt: bytes, *, at: int) -> Prepared:
    """What `key` signs, to say that it is a subkey of `primary`. salt: random, 16 bytes; at: seconds since 1970, not
    before either's own time.

    Raises:
        KeyKindUnfit, PrimaryIsSubkey, SaltMalformed.
    """
    if primary.public == key.public:
        raise PrimaryIsSubkey(f"The key {key.name!r} cannot be a subkey of itself.")
    return prepare_v6_over(_both(primary, key), v6_head(key, PRIMARY_KEY_BINDING, at), salt, key)


def assemble_v6_back_signature(prepared: Prepared, raw: bytes) -> bytes:
    """The signature as the binding holds it. Raises RawSignatureMalformed."""
    return assemble_v6_body(prepared, raw)


def prepare_v6_signing_certificate(
    primary: KeyRecord, key: KeyRecord, user_id: str, backed: bytes, salts: tuple[bytes, bytes, bytes], *,
    at: int, lifetime: int = 0, key_lifetime: int = 0,
) -> tuple[Prepared, Prepared, Prepared]:  # fmt: skip
    """What `primary` signs: that it certifies, what it is called, and that `key` is its subkey and signs.

    Args:
        backed: of `assemble_v6_back_signature`.
        salts: random, 16 bytes each.
        at: time of the signatures, seconds since 1970, not before the keys' own.
        lifetime, key_lifetime: seconds after its own creation when primary and subkey expire; 0: never.

    Raises:
        UserIdMalformed, KeyKindUnfit, SaltMalformed.
    """
    check_user_id(user_id)
    uses = v6_head(primary, DIRECT_KEY, at, _MAY_CERTIFY + PREFERENCES + _expiry(lifetime))
    agreed = p.subpacket(p.EMBEDDED_SIGNATURE, backed)
    binding = v6_head(primary, SUBKEY_BINDING, at, _MAY_SIGN + agreed + _expiry(key_lifetime))
    direct = prepare_v6_over(v6_framed_key(primary), uses, salts[0], primary)
    name = v6_head(primary, POSITIVE_CERTIFICATION, at)
    called = prepare_v6_over(v6_framed_key(primary) + named(user_id), name, salts[1], primary)
    bound = prepare_v6_over(_both(primary, key), binding, salts[2], primary)
    return direct, Prepared(called.payload, called.hash, called.kind, (*called.parts, user_id.encode())), bound


def assemble_v6_signing_certificate(
    primary: KeyRecord, key: KeyRecord, prepared: tuple[Prepared, Prepared, Prepared], raw: tuple[bytes, bytes, bytes]
) -> str:
    """The armoured certificate, of what was prepared and the signatures over it. Raises RawSignatureMalformed."""
    direct, called, bound = (assemble_v6_packet(one, by) for one, by in zip(prepared, raw, strict=True))
    name = p.packet(p.USER_ID_TAG, prepared[1].parts[2])
    packets = p.packet(p.PUBLIC_KEY_TAG, v6_key_body(primary)) + direct + name + called + _subkey(key) + bound
    return p.armor("PUBLIC KEY BLOCK", packets, checksum=False).decode()


def prepare_v6_subkey_revocation(
    primary: KeyRecord, key: KeyRecord, reason: RetirementReason, said: str, salt: bytes, *, at: int
) -> Prepared:
    """What `primary` signs to say that its subkey `key` is used no more. said: a sentence for people.

    Raises:
        KeyKindUnfit, SaltMalformed.
    """
    why = p.subpacket(p.REVOCATION_REASON, bytes((REASONS[reason],)) + said.encode())
    return prepare_v6_over(_both(primary, key), v6_head(primary, SUBKEY_REVOCATION, at, why), salt, primary)


def assemble_v6_subkey_revocation(primary: KeyRecord, key: KeyRecord, prepared: Prepared, raw: bytes) -> str:
    """Armoured: both keys with the revocation, which readers merge into the certificate that they have.

    Raises:
        RawSignatureMalformed.
    """
    packets = p.packet(p.PUBLIC_KEY_TAG, v6_key_body(primary)) + _subkey(key) + assemble_v6_packet(prepared, raw)
    return p.armor("PUBLIC KEY BLOCK", packets, checksum=False).decode()


def _both(primary: KeyRecord, key: KeyRecord) -> bytes:
    """As every signature about a subkey hashes them."""
    return v6_framed_key(primary) + v6_framed_key(key)


def _subkey(key: KeyRecord) -> bytes:
    return p.packet(p.PUBLIC_SUBKEY_TAG, v6_key_body(key))


def _expiry(lifetime: int) -> bytes:
    return p.subpacket(p.KEY_EXPIRATION, lifetime.to_bytes(4, "big")) if lifetime else b""
