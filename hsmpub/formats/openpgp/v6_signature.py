"""An OpenPGP version 6 signature packet, whatever it signs: head, trailer and, once the HSM has signed, the packet.

    salt ‖ what is signed ‖ head ‖ 06 FF ‖ length of head  ── SHA-256 ──►  what the HSM signs

Only what is hashed first differs from version 4: the salt, which stands in the packet behind the head.
Source: RFC 9580, 5.2.3, 5.2.4 and 5.2.3.35 (issuer fingerprint); 9.5 (salt size).
"""

from __future__ import annotations

import functools
import hashlib

from hsmpub.errors import Invalid
from hsmpub.formats.format import Prepared, check_raw
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.v6_key import v6_algorithm, v6_fingerprint
from hsmpub.model.key import KeyRecord

#: For SHA-256.
SALT_BYTES = 16


class SaltMalformed(Invalid):
    advice = f"Choose {SALT_BYTES} random bytes for each signature."


def check_salt(salt: bytes) -> bytes:
    """Raises SaltMalformed."""
    if len(salt) != SALT_BYTES:
        raise SaltMalformed(f"A salt for SHA-256 has {SALT_BYTES} bytes, not {len(salt)}.")
    return salt


@functools.lru_cache(maxsize=1024)
def v6_head(key: KeyRecord, kind: int, at: int, more: bytes = b"") -> bytes:
    """Everything of the packet that is hashed. at: seconds since 1970; more: further hashed subpackets."""
    issuer = p.subpacket(p.ISSUER_FINGERPRINT, b"\x06" + v6_fingerprint(key))
    hashed = issuer + p.subpacket(p.CREATION_TIME, at.to_bytes(4, "big")) + more
    return bytes((6, kind, v6_algorithm(key), p.SHA256)) + len(hashed).to_bytes(4, "big") + hashed


def v6_trailer(head: bytes) -> bytes:
    """What is hashed after the signed data: the service's own choice of type, key and time."""
    return head + b"\x06\xff" + len(head).to_bytes(4, "big")


def prepare_v6_over(signed: bytes, head: bytes, salt: bytes, key: KeyRecord) -> Prepared:
    """What the key signs over bytes that are all at hand. Raises SaltMalformed."""
    digest = hashlib.sha256(check_salt(salt) + signed + v6_trailer(head)).digest()
    return prepare_v6_packet(digest, head, salt, key)


def prepare_v6_packet(digest: bytes, head: bytes, salt: bytes, key: KeyRecord) -> Prepared:
    """digest: SHA-256 over salt, data and trailer, 32 bytes. An Ed25519 key signs it as its message."""
    return Prepared(digest, "none" if key.kind == "ed25519" else "sha256", key.kind, (head, salt))


def assemble_v6_packet(prepared: Prepared, signature: bytes) -> bytes:
    """The signature packet. Raises RawSignatureMalformed."""
    return p.packet(p.SIGNATURE_TAG, assemble_v6_body(prepared, signature))


def assemble_v6_body(prepared: Prepared, signature: bytes) -> bytes:
    """What is in the packet, as another signature embeds it. Raises RawSignatureMalformed."""
    check_raw(prepared, signature)
    head, salt = prepared.parts[:2]
    if prepared.kind == "ed25519":
        numbers = signature
    else:
        halves = (signature,) if prepared.kind == "rsa3072" else (signature[:32], signature[32:])
        numbers = b"".join([p.mpi(number) for number in halves])
    return head + bytes(4) + prepared.payload[:2] + bytes((len(salt),)) + salt + numbers
