"""The recovery quorum's boxes: what a restore needs, each HPKE-sealed to a key that nobody has until k holders meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hsmpub.errors import Broken
from hsmpub.secret.box import BoxNotOpened, open_box, seal_box
from hsmpub.secret.page import wipe
from hsmpub.shares.box import Box, box_of
from hsmpub.shares.derive import recovery_key
from hsmpub.shares.record import RecoveryRecord

Content = Literal["wrapping key", "SO PIN", "old SO PIN", "keeper identity"]
_KEYS = ("wrapping key", "keeper identity")  # 32 bytes each


class RecoveryBoxAltered(Broken):
    advice = "Take another copy of the backup."


def birth_content(number: int) -> str:
    """What the box of a later birth's wrapping key holds; number: of its ceremony."""
    return f"wrapping key of birth {number}"


def key_boxes(record: RecoveryRecord) -> tuple[Box, ...]:
    """What a restore opens: wrapping key, keeper identity, then the wrapping key of each later birth."""
    return (
        box_of("wrapping key", record.wrapping_key_box),
        box_of("keeper identity", record.identity_box),
        *(box_of(birth_content(birth.number), birth.wrapping_key_box) for birth in record.births),
    )


def seal_for_recovery(public: bytes, epoch: int, content: Content | str, secret: bytearray | memoryview) -> str:
    """The box, hex; `epoch` is the recovery quorum's own."""
    return seal_box(public, _info(content, epoch), secret).hex()


def open_boxes(record: RecoveryRecord, secret: bytearray, boxes: Sequence[Box]) -> list[bytearray]:
    """What the boxes hold. In the gathering child only.

    Raises:
        RecoveryBoxAltered: a box does not open, or holds something of another length.
    """
    private, _ = recovery_key(secret, record.epoch)
    try:
        opened = [open_box(private, _info(box.content, record.epoch), box.sealed) for box in boxes]
    except BoxNotOpened:
        raise RecoveryBoxAltered("A box of the recovery record does not open with the right key.") from None
    finally:
        wipe(private)
    if any(box.content.startswith(_KEYS) and len(content) != 32 for box, content in zip(boxes, opened, strict=True)):
        raise RecoveryBoxAltered("A box of the recovery record holds something of another length.")
    return [bytearray(content) for content in opened]


def _info(content: str, epoch: int) -> bytes:
    return b"hsmpub recovery v1 %b" % content.encode() + epoch.to_bytes(8, "big")
