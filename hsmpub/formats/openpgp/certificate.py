"""The OpenPGP certificate of a key in the HSM: public key, user id, self-signature. Made once, in the ceremony.

    prepared = prepare_certificate(key, "Acme releases <releases@acme.example>", at=key.created_at)
    armored = assemble_certificate(prepared, hsm.sign(prepared.payload))

The primary key itself certifies and signs. There is no subkey: a signing subkey with the same key material upsets
gpg, and a second key in the HSM would be no safer than the first.
Source: RFC 4880, 5.2.4 (certification), 11.1 (transferable public key), 5.2.3.21 (key flags).
"""

from __future__ import annotations

import hashlib
import re

from hsmpub.errors import Invalid
from hsmpub.formats.format import Prepared
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.key import fingerprint, framed_key, key_body
from hsmpub.formats.openpgp.signature import (
    POSITIVE_CERTIFICATION,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.model.key import KeyRecord

#: May certify other keys and user ids (0x01), may sign data (0x02).
CERTIFY_AND_SIGN = b"\x03"
_SHA256_SHA512 = bytes((8, 10))
_USER_ID = re.compile(r"[^\x00-\x1f\x7f<>()]{1,100}( <[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}>)?")


class UserIdMalformed(Invalid):
    advice = "Write it as 'Name <address@domain>'."


def check_user_id(user_id: str) -> None:
    """Raises UserIdMalformed."""
    if not _USER_ID.fullmatch(user_id) or user_id != user_id.strip():
        raise UserIdMalformed(f"The OpenPGP user id {user_id[:80]!r} is not of the usual form.")


def prepare_certificate(key: KeyRecord, user_id: str, *, at: int, lifetime: int = 0) -> Prepared:
    """What the HSM signs so that the key vouches for its user id.

    Args:
        at: time of the self-signature, seconds since 1970, not before the key's own.
        lifetime: seconds after the key's creation when it expires; 0: never.

    Raises:
        UserIdMalformed, KeyKindUnfit.
    """
    check_user_id(user_id)
    name = user_id.encode()
    more = [p.subpacket(p.KEY_FLAGS, CERTIFY_AND_SIGN), p.subpacket(p.PREFERRED_HASHES, _SHA256_SHA512)]
    if lifetime:
        more.append(p.subpacket(p.KEY_EXPIRATION, lifetime.to_bytes(4, "big")))
    head = signature_head(key, POSITIVE_CERTIFICATION, at, b"".join(more))
    signed = framed_key(key) + b"\xb4" + len(name).to_bytes(4, "big") + name + trailer(head)
    prepared = prepare_signature(hashlib.sha256(signed).digest(), head, key)
    return Prepared(prepared.payload, prepared.hash, prepared.kind, (*prepared.parts, key_body(key), name))


def assemble_certificate(prepared: Prepared, signature: bytes) -> str:
    """The armoured certificate, for `KeyRecord.openpgp` and for `gpg --import`. Raises RawSignatureMalformed."""
    body, name = prepared.parts[2:]
    certificate = (
        p.packet(p.PUBLIC_KEY_TAG, body) + p.packet(p.USER_ID_TAG, name) + assemble_signature(prepared, signature)
    )
    return p.armor("PUBLIC KEY BLOCK", certificate).decode()


def openpgp_fingerprint(key: KeyRecord) -> str:
    """40 upper-case hex characters, as gpg shows it."""
    return fingerprint(key).hex().upper()
