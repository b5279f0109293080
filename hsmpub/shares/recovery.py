"""The recovery quorum's boxes: what a restore needs, each HPKE-sealed to a key that nobody has until k holders meet."""

from __future__ import annotations

from typing import Literal

from hsmpub.errors import Broken
from hsmpub.secret.box import BoxNotOpened, open_box, seal_box
from hsmpub.secret.page import wipe
from hsmpub.shares.derive import recovery_key
from hsmpub.shares.record import RecoveryRecord

Content = Literal["wrapping key", "SO PIN", "keeper identity"]


class RecoveryBoxAltered(Broken):
    advice = "Take another copy of the backup."


def seal_for_recovery(public: bytes, epoch: int, content: Content, secret: bytearray | memoryview) -> str:
    """The box, hex; `epoch` is the recovery quorum's own."""
    return seal_box(public, _info(content, epoch), secret).hex()


def open_recovery(record: RecoveryRecord, secret: bytearray) -> tuple[bytearray, bytearray]:
    """Wrapping key and seed of the keeper's identity, 32 bytes each. In the gathering child only.

    Raises:
        RecoveryBoxAltered: a box does not open, or holds something of another length.
    """
    private, _ = recovery_key(secret, record.epoch)
    try:
        wrapping = open_box(private, _info("wrapping key", record.epoch), bytes.fromhex(record.wrapping_key_box))
        identity = open_box(private, _info("keeper identity", record.epoch), bytes.fromhex(record.identity_box))
    except (BoxNotOpened, ValueError):
        raise RecoveryBoxAltered("A box of the recovery record does not open with the right key.") from None
    finally:
        wipe(private)
    if len(wrapping) != 32 or len(identity) != 32:
        raise RecoveryBoxAltered("A box of the recovery record holds something of another length.")
    return bytearray(wrapping), bytearray(identity)


def _info(content: Content, epoch: int) -> bytes:
    return b"hsmpub recovery v1 %b" % content.encode() + epoch.to_bytes(8, "big")
