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
from hsmpub.model.trust import Trust
from hsmpub.shares.box import Box, box_of
from hsmpub.shares.record import RecoveryRecord
from hsmpub.transcript.record import Recorder


class RestoredKeysDiffer(Broken):
    advice = "Use nothing of this backup: its keys are not those that the service's trust.json pins."


class VendorTokenIsEmbedded(Invalid):
    advice = "Name the HSM's module with --ceremony: the embedded SoftHSM is restored from the backup alone."


def boxes_for(record: RecoveryRecord, *, vendor_token: bool) -> tuple[Box, Box]:
    """What recovery holders open: what opens the token or fills it, and the keeper's identity."""
    identity = box_of("keeper identity", record.identity_box)
    if vendor_token:
        return box_of("SO PIN", record.so_pin_box), identity
    return box_of("wrapping key", record.wrapping_key_box), identity


def fill_from_backup(
    table: HsmTable, place: Place, recorder: Recorder, secrets: birth.Secrets, record: RecoveryRecord, trust: Trust
) -> HsmConfig:
    """A fresh token with the keys of the backup, which must be the pinned ones. Raises RestoredKeysDiffer."""
    born = [BornKey(key.name, key.kind, key.public, bytes.fromhex(key.wrapped)) for key in record.wrapped]
    pinned = [(key.name, key.kind, key.public) for key in trust.keys]
    if [(key.name, key.kind, key.public_pem) for key in born] != pinned:
        raise RestoredKeysDiffer("The keys in the backup are not the pinned ones.")
    birth.record_keys(recorder, "keys restored", trust.keys)
    return birth.fill_token(table, place, recorder, secrets, born)


def check_not_embedded(table: HsmTable) -> None:
    """Raises VendorTokenIsEmbedded."""
    if not table.module:
        raise VendorTokenIsEmbedded("The embedded SoftHSM has no backup of its maker's.")


def take_vendor_token(
    table: HsmTable, place: Place, recorder: Recorder, secrets: birth.Secrets, trust: Trust
) -> HsmConfig:
    """The token as its maker's means restored it: its PIN is set anew, and each pinned key must be there and sign.

    Raises:
        TokenGone, PinRefused: no such token, or another SO PIN; nothing was changed.
        KeyMissing, SignatureNotVerified: another token. Its PIN is a new one that nobody has; nothing else changed.
    """
    hsm = birth.prepare_hsm(table, place)
    secrets.pin.take(new_pin(table.pin_length))
    reset_pin(hsm, so_pin=secrets.so_pin, pin=secrets.pin)
    check_pinned_keys(hsm, secrets.pin, trust.keys)
    birth.record_keys(recorder, "keys found", trust.keys)
    names: Sequence[str] = [key.name for key in trust.keys]
    recorder.record("vendor token", module=hsm.module, label=hsm.token, keys=names, reference=table.vendor_backup)
    return hsm
