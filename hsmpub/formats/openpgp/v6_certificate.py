"""The OpenPGP version 6 certificate of a key in the HSM, its revocation, and what one key says of another. Made in
ceremonies.

    prepared = prepare_v6_certificate(key, "Acme releases <releases@acme.example>", salts, at=key.created_at)
    armored = assemble_v6_certificate(key, prepared, tuple(hsm.sign(one.payload) for one in prepared))

What the key is for stands in a signature over the key alone, what it is called in one over key and user id.
Source: RFC 9580, 5.2.1.10 (direct key), 5.2.4 (what is hashed), 10.1.1 and 10.1.2 (certificates and revocations),
6.2.1 (no checksum).
"""

from __future__ import annotations

import binascii

from hsmpub.formats.format import Prepared
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.certificate import CERTIFY_AND_SIGN, check_user_id
from hsmpub.formats.openpgp.change import REASONS
from hsmpub.formats.openpgp.signature import (
    DIRECT_KEY,
    GENERIC_CERTIFICATION,
    KEY_REVOCATION,
    POSITIVE_CERTIFICATION,
)
from hsmpub.formats.openpgp.v6_key import v6_fingerprint, v6_framed_key, v6_key_body
from hsmpub.formats.openpgp.v6_signature import assemble_v6_packet, prepare_v6_over, v6_head
from hsmpub.model.entry import RetirementReason
from hsmpub.model.key import KeyRecord

#: SHA-256, SHA-512.
PREFERENCES = p.subpacket(p.PREFERRED_HASHES, bytes((8, 10)))


def prepare_v6_certificate(
    key: KeyRecord, user_id: str, salts: tuple[bytes, bytes], *, at: int, lifetime: int = 0
) -> tuple[Prepared, Prepared]:
    """What the HSM signs: what the key is for, and what it is called.

    Args:
        salts: random, 16 bytes each. at: time of both signatures, seconds since 1970; lifetime: seconds after the
            key's creation, 0: no end.

    Raises:
        UserIdMalformed, KeyKindUnfit, SaltMalformed.
    """
    check_user_id(user_id)
    ends = p.subpacket(p.KEY_EXPIRATION, lifetime.to_bytes(4, "big")) if lifetime else b""
    uses = p.subpacket(p.KEY_FLAGS, CERTIFY_AND_SIGN) + PREFERENCES + ends
    direct = _over(key, b"", v6_head(key, DIRECT_KEY, at, uses), salts[0])
    called = _over(key, named(user_id), v6_head(key, POSITIVE_CERTIFICATION, at), salts[1])
    return direct, Prepared(called.payload, called.hash, called.kind, (*called.parts, user_id.encode()))


def assemble_v6_certificate(key: KeyRecord, prepared: tuple[Prepared, Prepared], raw: tuple[bytes, bytes]) -> str:
    """The armoured certificate, for `KeyRecord.openpgp_v6`. Raises RawSignatureMalformed."""
    (direct, called), name = prepared, prepared[1].parts[2]
    whole = (
        p.packet(p.PUBLIC_KEY_TAG, v6_key_body(key)) + assemble_v6_packet(direct, raw[0])
        + p.packet(p.USER_ID_TAG, name) + assemble_v6_packet(called, raw[1])
    )  # fmt: skip
    return p.armor("PUBLIC KEY BLOCK", whole, checksum=False).decode()


def prepare_v6_revocation(key: KeyRecord, reason: RetirementReason, said: str, salt: bytes, *, at: int) -> Prepared:
    """What the HSM signs so that the key says that it signs no more. said: a sentence for people.

    Raises:
        KeyKindUnfit, SaltMalformed.
    """
    why = p.subpacket(p.REVOCATION_REASON, bytes((REASONS[reason],)) + said.encode())
    return _over(key, b"", v6_head(key, KEY_REVOCATION, at, why), salt)


def assemble_v6_revocation(key: KeyRecord, prepared: Prepared, raw: bytes) -> str:
    """Armoured: the key with its revocation, which readers of version 6 merge into the certificate that they have.

    Raises:
        RawSignatureMalformed.
    """
    whole = p.packet(p.PUBLIC_KEY_TAG, v6_key_body(key)) + assemble_v6_packet(prepared, raw)
    return p.armor("PUBLIC KEY BLOCK", whole, checksum=False).decode()


def prepare_v6_vouching(by: KeyRecord, key: KeyRecord, user_id: str, salt: bytes, *, at: int) -> Prepared:
    """What the HSM signs with `by` so that it vouches for another key and its user id. at: seconds since 1970.

    Raises:
        UserIdMalformed, KeyKindUnfit, SaltMalformed.
    """
    check_user_id(user_id)
    signed = v6_framed_key(key) + named(user_id)
    return prepare_v6_over(signed, v6_head(by, GENERIC_CERTIFICATION, at), salt, by)


def assemble_v6_vouching(certificate: str, prepared: Prepared, raw: bytes) -> str:
    """The armoured certificate with one more signature. Raises RawSignatureMalformed."""
    body = binascii.a2b_base64("".join(certificate.strip().split("\n")[2:-1]))
    return p.armor("PUBLIC KEY BLOCK", body + assemble_v6_packet(prepared, raw), checksum=False).decode()


def openpgp_v6_fingerprint(key: KeyRecord) -> str:
    """64 upper-case hex characters."""
    return v6_fingerprint(key).hex().upper()


def _over(key: KeyRecord, more: bytes, head: bytes, salt: bytes) -> Prepared:
    return prepare_v6_over(v6_framed_key(key) + more, head, salt, key)


def named(user_id: str) -> bytes:
    """A user id as certifications hash it."""
    name = user_id.encode()
    return b"\xb4" + len(name).to_bytes(4, "big") + name
