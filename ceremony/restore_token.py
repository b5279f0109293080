"""Where the keys come back to: a fresh token that takes them from the backup, or one that its maker's means restored.

Keys of an HSM that lets nothing out are backed up by the maker's own means. Such a token comes back with the keys and
an old PIN that nobody has; the SO PIN, which lies under the recovery quorum, sets a new one and keeps the keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from ceremony import birth
from ceremony.file import HsmTable
from ceremony.place import Place
from hsmpub.errors import Broken, Invalid
from hsmpub.hsm.config import BornKey, HsmConfig
from hsmpub.hsm.present import check_pinned_keys
from hsmpub.hsm.token import new_pin, reset_pin
from hsmpub.model import entry as e
from hsmpub.model.keys import Keys
from hsmpub.model.trust import Trust
from hsmpub.secret.page import SecretPage
from hsmpub.shares.box import Box, box_of
from hsmpub.shares.record import RecoveryRecord, WrappedKey
from hsmpub.shares.recovery import key_boxes
from hsmpub.transcript.record import Recorder

LOST_KEYS = (
    "They were made after the backup, and nobody has them: make others (hsmpub-ceremony key-generate), have a policy "
    "adopted that names those, and tell users. What they signed before stays valid."
)


class RestoredKeysDiffer(Broken):
    advice = "Use nothing of this backup: its keys are not those that the service's trust.json pins."


class VendorTokenIsEmbedded(Invalid):
    advice = "Name the HSM's module with --ceremony: the embedded SoftHSM is restored from the backup alone."


def boxes_for(record: RecoveryRecord, *, vendor_token: bool) -> tuple[Box, ...]:
    """What recovery holders open: what opens the token or fills it, the keeper's identity, and for a fresh token the
    wrapping key of each later birth."""
    if vendor_token:
        return box_of("SO PIN", record.so_pin_box), box_of("keeper identity", record.identity_box)
    return key_boxes(record)


def check_keys(record: RecoveryRecord, saved: Keys, trust: Trust, *, vendor_token: bool) -> None:
    """The keys that the backup's log tells of are the pinned ones, and, but for a vendor token, are in the backup.

    Raises:
        RestoredKeysDiffer.
    """
    for pinned in trust.keys:
        key = saved.by_name.get(pinned.name)
        if key is not None and (key.record.kind, key.record.public) != (pinned.kind, pinned.public):
            raise RestoredKeysDiffer(f"The key {pinned.name!r} in the backup's log is not the pinned one.")
    if vendor_token:
        return
    wrapped = {(key.name, key.kind, key.public) for key in record.all_wrapped}
    told = {(key.name, key.kind, key.public) for key in saved.present}
    if wrapped != told or not wrapped & {(key.name, key.kind, key.public) for key in trust.keys}:
        raise RestoredKeysDiffer("The keys in the backup are not those of its log, or none of them is pinned.")


def fill_from_backup(
    table: HsmTable, place: Place, recorder: Recorder, secrets: birth.Secrets, record: RecoveryRecord, keys: Keys,
    later: Sequence[SecretPage],
) -> HsmConfig:  # fmt: skip
    """A fresh token with the keys of every birth in the backup, but for those that were destroyed since.

    keys: as the log is going to tell of them; later: the wrapping key of each later birth.
    """
    names = {key.name for key in keys.present}

    def born(wrapped: Sequence[WrappedKey]) -> list[BornKey]:
        return [BornKey(key.name, key.kind, key.public, bytes.fromhex(key.wrapped))
                for key in wrapped if key.name in names]  # fmt: skip

    birth.record_keys(recorder, "keys restored", keys.present)
    births = [(born(one.wrapped), page) for one, page in zip(record.births, later, strict=True)]
    return birth.fill_token(table, place, recorder, secrets, born(record.wrapped), births)


def lost_keys(record: RecoveryRecord, keys: Keys, at: int) -> e.KeysChanged | None:
    """The end of keys that the log tells of and the backup lacks, since they were born after it: nobody has them.

    keys: as the whole log tells of them, with what was brought.

    Returns:
        An entry for the log that retires and destroys them; None if there are none.
    """
    saved = {key.name for key in record.all_wrapped}
    lost = [key for key in keys.known if key.state != "destroyed" and key.name not in saved]
    if not lost:
        return None
    retired = tuple(e.Retirement(key.name, "retired") for key in lost if key.state == "active")
    return e.KeysChanged(at, keys.digest, retired=retired, destroyed=tuple(key.name for key in lost))


def record_lost(recorder: Recorder, ended: e.KeysChanged | None, unknown: Sequence[str]) -> None:
    """Names the keys that do not come back. unknown: pinned, and the log has lost their birth."""
    if ended is not None or unknown:
        recorder.record("keys lost", ended=list(ended.destroyed) if ended else [], unknown_to_the_log=list(unknown),
                        advice=LOST_KEYS)  # fmt: skip


def check_not_embedded(table: HsmTable) -> None:
    """Raises VendorTokenIsEmbedded."""
    if not table.module:
        raise VendorTokenIsEmbedded("The embedded SoftHSM has no backup of its maker's.")


def take_vendor_token(
    table: HsmTable, place: Place, recorder: Recorder, secrets: birth.Secrets, keys: Keys
) -> HsmConfig:
    """The token as its maker's means restored it: its PIN is set anew, and each pinned key must be there and sign.

    Raises:
        TokenGone, PinRefused: no such token, or another SO PIN; nothing was changed.
        KeyMissing, SignatureNotVerified: another token. Its PIN is a new one that nobody has; nothing else changed.
    """
    hsm = birth.prepare_hsm(table, place)
    secrets.pin.take(new_pin(table.pin_length))
    reset_pin(hsm, so_pin=secrets.so_pin, pin=secrets.pin)
    check_pinned_keys(hsm, secrets.pin, keys.present)
    birth.record_keys(recorder, "keys found", keys.present)
    names: Sequence[str] = [key.name for key in keys.present]
    recorder.record("vendor token", module=hsm.module, label=hsm.token, keys=names, reference=table.vendor_backup)
    return hsm
