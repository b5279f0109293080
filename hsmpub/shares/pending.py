"""Sets of shares that were made and are not in force: until their holders have confirmed, the old ones are."""

from __future__ import annotations

import msgspec

from hsmpub.shares.record import Purpose, RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import RecordMalformed, check_quorum


class PendingSets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a reshare leaves for its second step; the file keeper/pending.json.

    Attributes:
        number: of the ceremony that made them.
        unseal: the new unseal quorum, whose box holds the PIN that the token is going to get.
        old_pin_box: the PIN in force until then under the new secret, hex: the change is safe to interrupt.
        recovery, old_so_pin_box: the same for the recovery quorum and the SO PIN.
    """

    number: int
    unseal: UnsealRecord | None = None
    old_pin_box: str = ""
    recovery: RecoveryRecord | None = None
    old_so_pin_box: str = ""

    def records(self) -> dict[Purpose, UnsealRecord | RecoveryRecord]:
        """The sets that there are, by quorum."""
        both: dict[Purpose, UnsealRecord | RecoveryRecord | None] = {"unseal": self.unseal, "recovery": self.recovery}
        return {purpose: record for purpose, record in both.items() if record is not None}


def dump_pending(pending: PendingSets) -> bytes:
    return msgspec.json.format(msgspec.json.encode(pending), indent=2) + b"\n"


def load_pending(data: bytes) -> PendingSets:
    """Raises RecordMalformed."""
    try:
        pending = msgspec.json.decode(data, type=PendingSets)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise RecordMalformed("The sets of shares that wait for their holders cannot be read.") from None
    for record in pending.records().values():
        check_quorum(record)
    return pending
