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


def seal_for_recovery(
    public: bytes, epoch: int, content: Content, secret: bytearray | memoryview, *, birth: int = 0
) -> str:
    """The box, hex. epoch: the recovery quorum's own; birth: number of the ceremony that a wrapping key is of, or 0 for
    the genesis."""
    return seal_box(public, _info(content, epoch, birth), secret).hex()


def open_recovery(record: RecoveryRecord, secret: bytearray) -> list[bytearray]:
    """Wrapping key, seed of the keeper's identity, then the wrapping key of each later birth; 32 bytes each. In the
    gathering child only.

    Raises:
        RecoveryBoxAltered: a box does not open, or holds something of another length.
    """
    private, _ = recovery_key(secret, record.epoch)
    boxes = [
        (_info("wrapping key", record.epoch), record.wrapping_key_box),
        (_info("keeper identity", record.epoch), record.identity_box),
        *((_info("wrapping key", record.epoch, one.number), one.wrapping_key_box) for one in record.births),
    ]
    try:
        opened = [bytearray(open_box(private, info, bytes.fromhex(box))) for info, box in boxes]
    except (BoxNotOpened, ValueError):
        raise RecoveryBoxAltered("A box of the recovery record does not open with the right key.") from None
    finally:
        wipe(private)
    if any(len(content) != 32 for content in opened):
        raise RecoveryBoxAltered("A box of the recovery record holds something of another length.")
    return opened


def _info(content: Content, epoch: int, birth: int = 0) -> bytes:
    later = b" birth %d " % birth if birth else b""
    return b"hsmpub recovery v1 %b" % content.encode() + later + epoch.to_bytes(8, "big")
