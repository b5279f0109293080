"""OpenPGP's words for a change of keys: one key vouches for another, and a key says that it signs no more.

    prepared = prepare_vouching(old, new, user_id, at=…)         # the new key's certificate, with one signature more
    armored = assemble_vouching(new.openpgp, prepared, hsm.sign(old.name, prepared.payload))

    prepared = prepare_revocation(old, "superseded", at=…)       # for `gpg --import`, beside the old certificate
    armored = assemble_revocation(prepared, hsm.sign(old.name, prepared.payload))

Source: RFC 4880, 5.2.1 (0x10, 0x20), 5.2.3.23 (reason for revocation), 5.2.4 (what is hashed).
"""

from __future__ import annotations

import binascii
import hashlib

from hsmpub.formats.format import Prepared
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.certificate import check_user_id
from hsmpub.formats.openpgp.key import framed_key
from hsmpub.formats.openpgp.signature import (
    GENERIC_CERTIFICATION,
    KEY_REVOCATION,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.model.entry import RetirementReason
from hsmpub.model.key import KeyRecord

#: With 1 and 3, what was signed before stays good; with 2, readers of OpenPGP trust nothing of the key any more.
REASONS: dict[RetirementReason, int] = {"superseded": 1, "compromised": 2, "retired": 3}


def prepare_vouching(by: KeyRecord, key: KeyRecord, user_id: str, *, at: int) -> Prepared:
    """What the HSM signs with `by` so that it vouches for another key and its user id. at: seconds since 1970.

    Raises:
        UserIdMalformed, KeyKindUnfit.
    """
    check_user_id(user_id)
    name = user_id.encode()
    head = signature_head(by, GENERIC_CERTIFICATION, at)
    signed = framed_key(key) + b"\xb4" + len(name).to_bytes(4, "big") + name + trailer(head)
    return prepare_signature(hashlib.sha256(signed).digest(), head, by)


def assemble_vouching(certificate: str, prepared: Prepared, signature: bytes) -> str:
    """The armoured certificate with one more signature. Raises RawSignatureMalformed."""
    lines = certificate.strip().split("\n")
    body = binascii.a2b_base64("".join(lines[2:-2]))
    return p.armor("PUBLIC KEY BLOCK", body + assemble_signature(prepared, signature)).decode()


def prepare_revocation(key: KeyRecord, reason: RetirementReason, said: str, *, at: int) -> Prepared:
    """What the HSM signs so that the key says that it signs no more. said: a sentence for people.

    Raises:
        KeyKindUnfit.
    """
    why = p.subpacket(p.REVOCATION_REASON, bytes((REASONS[reason],)) + said.encode())
    head = signature_head(key, KEY_REVOCATION, at, why)
    return prepare_signature(hashlib.sha256(framed_key(key) + trailer(head)).digest(), head, key)


def assemble_revocation(prepared: Prepared, signature: bytes) -> str:
    """The armoured revocation. Raises RawSignatureMalformed."""
    return p.armor("PUBLIC KEY BLOCK", assemble_signature(prepared, signature)).decode()
