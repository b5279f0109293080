"""What a drill shows of a quorum's secret, inside the gathering child: it opens all that it has to, and nothing leaves.

An unseal quorum's secret must open the PIN's box. A recovery quorum's must open its three boxes and that of each later
birth; the identity in them must be the pinned keeper's, and each wrapping key must unwrap the keys under it to the
private halves of the recorded public ones.
For that, these keys are in this process's memory for some milliseconds, as they are in a restore.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from hsmpub.errors import Broken
from hsmpub.secret.page import wipe
from hsmpub.shares.box import Box, box_of
from hsmpub.shares.derive import open_pin
from hsmpub.shares.record import RecoveryRecord, UnsealRecord, WrappedKey
from hsmpub.shares.recovery import birth_content, open_boxes

_SEQUENCE = 0x30


class BackupNotProven(Broken):
    advice = "A restore with this quorum would fail: compare the record with the backups, and have new keys backed up."


def prove_unseal(record: UnsealRecord, secret: bytearray) -> tuple[str, ...]:
    """Raises PinBoxAltered."""
    wipe(open_pin(secret, record.epoch, bytes.fromhex(record.pin_box), "PIN"))
    return ("secret", "PIN")


def boxes_to_prove(record: UnsealRecord | RecoveryRecord) -> tuple[Box, ...]:
    """Every box that a record's secret has to open. Raises RecordMalformed."""
    if isinstance(record, UnsealRecord):
        return (box_of("PIN", record.pin_box),)
    return (
        box_of("wrapping key", record.wrapping_key_box),
        box_of("SO PIN", record.so_pin_box),
        box_of("keeper identity", record.identity_box),
        *(box_of(birth_content(birth.number), birth.wrapping_key_box) for birth in record.births),
    )


def prove_recovery(
    record: RecoveryRecord, secret: bytearray, boxes: Sequence[Box], keeper_key: bytes
) -> tuple[str, ...]:
    """boxes: of boxes_to_prove; keeper_key: the pinned one, raw Ed25519.

    Raises:
        RecoveryBoxAltered: a box does not open.
        BackupNotProven: what is in it does not restore this service.
    """
    opened = {box.content: content for box, content in zip(boxes, open_boxes(record, secret, boxes), strict=True)}
    try:
        public = Ed25519PrivateKey.from_private_bytes(opened["keeper identity"]).public_key().public_bytes_raw()
        if public != keeper_key:
            raise BackupNotProven("The keeper identity in the backup is not the pinned one.")
        for key in record.wrapped:
            _prove_key(key, opened["wrapping key"])
        for birth in record.births:
            for key in birth.wrapped:
                _prove_key(key, opened[birth_content(birth.number)])
    finally:
        for content in opened.values():
            wipe(content)
    return ("secret", *opened, *(f"key {key.name}" for key in record.all_wrapped))


def _prove_key(key: WrappedKey, wrapping_key: bytearray) -> None:
    # what goes wrong is said without its context, which could hold a key
    try:
        good = _is_key(key, bytearray(aes_key_unwrap_with_padding(bytes(wrapping_key), bytes.fromhex(key.wrapped))))
    except (InvalidUnwrap, ValueError):
        good = False
    if not good:
        raise BackupNotProven(f"The key {key.name!r} in the backup does not unwrap to the one that is pinned.")


def _is_key(key: WrappedKey, content: bytearray) -> bool:
    try:
        if key.kind == "aes256":
            return len(content) == 32
        private = load_der_private_key(memoryview(content)[: _der_length(content)], None)
        made = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return made.decode() == key.public
    finally:
        wipe(content)


def _der_length(data: bytearray) -> int:
    """Bytes of the one structure that `data` begins with: SoftHSM adds up to seven zeros behind it."""
    if len(data) < 4 or data[0] != _SEQUENCE:
        raise ValueError("no PKCS#8")
    if data[1] < 0x80:
        return 2 + data[1]
    size = data[1] & 0x7F
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big")
