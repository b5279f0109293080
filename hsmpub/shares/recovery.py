"""The recovery quorum's boxes: what a restore needs, each HPKE-sealed to a key that nobody has until k holders meet."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.errors import Broken
from hsmpub.secret.box import BoxNotOpened, open_box, seal_box
from hsmpub.secret.page import wipe
from hsmpub.shares.derive import recovery_key
from hsmpub.shares.record import Content, RecoveryRecord


class RecoveryBoxAltered(Broken):
    advice = "Take another copy of the backup."


def seal_for_recovery(public: bytes, epoch: int, content: Content, secret: bytearray | memoryview) -> str:
    """The box, hex; `epoch` is the recovery quorum's own."""
    return seal_box(public, _info(content, epoch), secret).hex()


def open_recovery(record: RecoveryRecord, secret: bytearray, contents: Sequence[Content]) -> list[bytearray]:
    """The content of these boxes, in their order; whoever calls it wipes them. In the gathering child only.

    Raises:
        RecoveryBoxAltered: a box does not open, or holds something of another length.
    """
    boxes: dict[Content, str] = {
        "wrapping key": record.wrapping_key_box,
        "SO PIN": record.so_pin_box,
        "keeper identity": record.identity_box,
    }
    private, _ = recovery_key(secret, record.epoch)
    try:
        opened = [
            bytearray(open_box(private, _info(content, record.epoch), bytes.fromhex(boxes[content])))
            for content in contents
        ]
    except (BoxNotOpened, ValueError):
        raise RecoveryBoxAltered("A box of the recovery record does not open with the right key.") from None
    finally:
        wipe(private)
    if any(len(data) != 32 for content, data in zip(contents, opened, strict=True) if content != "SO PIN"):
        raise RecoveryBoxAltered("A box of the recovery record holds something of another length.")
    return opened


def _info(content: Content, epoch: int) -> bytes:
    return b"hsmpub recovery v1 %b" % content.encode() + epoch.to_bytes(8, "big")
