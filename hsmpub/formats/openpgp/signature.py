"""An OpenPGP version 4 signature packet, whatever it signs: head, trailer and, once the HSM has signed, the packet.

Source: RFC 4880, 5.2.3 and 5.2.4; RFC 9580, 5.2.3.35 (issuer fingerprint).
"""

from __future__ import annotations

import functools

from hsmpub.formats.format import Prepared, check_raw
from hsmpub.formats.openpgp import packet as p
from hsmpub.formats.openpgp.key import algorithm, fingerprint
from hsmpub.model.key import KeyRecord

BINARY_DOCUMENT = 0x00
TEXT_DOCUMENT = 0x01
GENERIC_CERTIFICATION = 0x10
POSITIVE_CERTIFICATION = 0x13
KEY_REVOCATION = 0x20
SUBKEY_BINDING = 0x18
DIRECT_KEY = 0x1F
PRIMARY_KEY_BINDING = 0x19
SUBKEY_REVOCATION = 0x28


@functools.lru_cache(maxsize=1024)
def signature_head(key: KeyRecord, kind: int, at: int, more: bytes = b"") -> bytes:
    """Everything of the packet that is hashed. at: seconds since 1970; more: further hashed subpackets."""
    hashed = b"".join(
        (
            p.subpacket(p.ISSUER_FINGERPRINT, b"\x04" + fingerprint(key)),
            p.subpacket(p.CREATION_TIME, at.to_bytes(4, "big")),
            more,
        )
    )
    return bytes((4, kind, algorithm(key), p.SHA256)) + len(hashed).to_bytes(2, "big") + hashed


def trailer(head: bytes) -> bytes:
    """What is hashed after the signed data: the service's own choice of type, key and time."""
    return head + b"\x04\xff" + len(head).to_bytes(4, "big")


@functools.lru_cache(maxsize=256)
def unhashed_area(key: KeyRecord) -> bytes:
    """Length and the issuer's key id, for readers that know no fingerprints."""
    area = p.subpacket(p.ISSUER_KEY_ID, fingerprint(key)[-8:])
    return len(area).to_bytes(2, "big") + area


def prepare_signature(digest: bytes, head: bytes, key: KeyRecord) -> Prepared:
    """digest: SHA-256 over data and trailer, 32 bytes."""
    return Prepared(digest, "sha256", key.kind, (head, unhashed_area(key)))


def assemble_signature(prepared: Prepared, signature: bytes) -> bytes:
    """The signature packet. Raises RawSignatureMalformed."""
    check_raw(prepared, signature)
    head, unhashed = prepared.parts[:2]
    halves = (signature,) if prepared.kind == "rsa3072" else (signature[:32], signature[32:])
    numbers = b"".join([p.mpi(number) for number in halves])
    return p.packet(p.SIGNATURE_TAG, head + unhashed + prepared.payload[:2] + numbers)
